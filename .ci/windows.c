/* What .ci/try-windows needs of Windows and no program of it offers: `ask SERVICE NUMBER` sends a control to a service; `hold FILE`
 * keeps a file open so that nobody may rename or replace it, until its input ends; `line ...` prints its own command line as it came. */
#include <stdio.h>
#include <windows.h>

static int ask(const wchar_t *name, DWORD control) {
    SERVICE_STATUS status;
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    SC_HANDLE service = OpenServiceW(manager, name, SERVICE_ALL_ACCESS);
    return ControlService(service, control, &status) ? 0 : (int)GetLastError();
}

static int hold(const wchar_t *path) {
    if (CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE)
        return (int)GetLastError();
    puts("held");
    fflush(stdout);
    while (getchar() != EOF) {
    }
    return 0;
}

static int line(void) {
    char text[4096];
    WideCharToMultiByte(CP_UTF8, 0, GetCommandLineW(), -1, text, sizeof text, NULL, NULL);
    puts(text);
    return 0;
}

int wmain(int count, wchar_t **words) {
    if (count == 4 && wcscmp(words[1], L"ask") == 0)
        return ask(words[2], (DWORD)wcstoul(words[3], NULL, 10));
    if (count == 3 && wcscmp(words[1], L"hold") == 0)
        return hold(words[2]);
    return line();
}
