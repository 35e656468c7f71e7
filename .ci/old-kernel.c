/*
 * usage: old-kernel PROGRAM [ARGUMENT...]
 * Runs PROGRAM, and all that it starts, as on Linux 2.6.32 for x86-64: every system call that came
 * later has a higher number than that kernel's last one, perf_event_open, and is answered by ENOSYS.
 * By a filter in the kernel, so that it costs no time and leaves ptrace to others.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the numbers are those of x86-64"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))

int main(int argc, char **argv) {
    struct sock_filter steps[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_perf_event_open, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    struct sock_fprog filter = {sizeof steps / sizeof *steps, steps};
    if (argc < 2) {
        fprintf(stderr, "usage: %s PROGRAM [ARGUMENT...]\n", argv[0]);
        return 2;
    }
    /* Without root's rights the kernel wants the promise that nothing below gains any. */
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0 &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)) {
        perror("old-kernel: this system permits no system call filter");
        return 125;
    }
    if (syscall(SYS_recvmmsg, -1, NULL, 0, 0, NULL) != -1 || errno != ENOSYS || getppid() < 0) {
        fprintf(stderr, "old-kernel: the filter does not work\n");
        return 125;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 127;
}
