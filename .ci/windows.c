/*
 * What .ci/try-windows needs of Windows and no program of it offers: `ask SERVICE NUMBER` sends a
 * control to a service; `hold FILE` keeps a file open so that nobody may rename or replace it, until
 * its input ends; `line ...` prints its own command line as it came. Under the name nssm.exe it is
 * the host of a service, as the original agent has one: it runs the confd.exe beside it, and leaves
 * it running when it is stopped.
 */
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

static SERVICE_STATUS_HANDLE handle;

static void tell(DWORD state, DWORD accepted) {
    SERVICE_STATUS status = {SERVICE_WIN32_OWN_PROCESS, state, accepted, NO_ERROR, 0, 0, 0};
    SetServiceStatus(handle, &status);
}

static DWORD WINAPI obey(DWORD request, DWORD kind, void *data, void *context) {
    (void)kind, (void)data, (void)context;
    if (request == SERVICE_CONTROL_STOP)
        tell(SERVICE_STOPPED, 0);
    return NO_ERROR;
}

static void WINAPI host(DWORD count, wchar_t **words) {
    wchar_t program[MAX_PATH], line[2 * MAX_PATH];
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION child;
    (void)count, (void)words;
    handle = RegisterServiceCtrlHandlerExW(L"", obey, NULL);
    GetModuleFileNameW(NULL, program, MAX_PATH);
    wcscpy(wcsrchr(program, L'\\'), L"\\confd.exe");
    swprintf(line, sizeof line / sizeof *line, L"\"%ls\"", program);
    CreateProcessW(program, line, NULL, NULL, FALSE, 0, NULL, NULL, &start, &child);
    tell(SERVICE_RUNNING, SERVICE_ACCEPT_STOP);
}

int wmain(int count, wchar_t **words) {
    SERVICE_TABLE_ENTRYW table[] = {{L"", host}, {NULL, NULL}};
    wchar_t program[MAX_PATH];
    GetModuleFileNameW(NULL, program, MAX_PATH);
    if (wcsstr(program, L"nssm.exe") != NULL)
        return !StartServiceCtrlDispatcherW(table);
    if (count == 4 && wcscmp(words[1], L"ask") == 0)
        return ask(words[2], (DWORD)wcstoul(words[3], NULL, 10));
    if (count == 3 && wcscmp(words[1], L"hold") == 0)
        return hold(words[2]);
    return line();
}
