/*
 * Stands in for what the static program would link and never use.
 *
 * libunwind: a panic prints its message and ends the process (panic = "abort"), and nothing ever
 * unwinds. The real one would be 50 KB that find no table to read.
 *
 * pthread_setname_np: std gives every thread its name by it, and musl's own opens a file in /proc
 * for threads other than the caller, by way of the whole printf: 8 KB. std only ever names the
 * thread that it is in.
 */

#include <sys/prctl.h>

/* Goes through no frame at all, and says that it reached the end of the stack. */
int _Unwind_Backtrace(void *each, void *argument) {
    (void)each;
    (void)argument;
    return 5;
}

unsigned long _Unwind_GetIP(void *frame) {
    (void)frame;
    return 0;
}

int pthread_setname_np(unsigned long thread, const char *name) {
    (void)thread;
    return prctl(PR_SET_NAME, (unsigned long)name, 0UL, 0UL, 0UL);
}
