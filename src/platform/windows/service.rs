//! confd as a Windows service, controlled by the service control manager.
//!
//! Its requests are the events that signals are on Unix. The result of the work is reported as the
//! service's own exit code, so that the configured recovery (start it again) also follows a failure
//! that is no crash.

use std::ffi::c_void;
use std::path::Path;
use std::process::ExitCode;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_CALL_NOT_IMPLEMENTED, ERROR_SERVICE_SPECIFIC_ERROR, NO_ERROR,
};
use windows_sys::Win32::System::Services::{
    RegisterServiceCtrlHandlerExW, SERVICE_ACCEPT_PARAMCHANGE, SERVICE_ACCEPT_SHUTDOWN,
    SERVICE_ACCEPT_STOP, SERVICE_CONTROL_INTERROGATE, SERVICE_CONTROL_PARAMCHANGE,
    SERVICE_CONTROL_SHUTDOWN, SERVICE_CONTROL_STOP, SERVICE_RUNNING, SERVICE_START_PENDING,
    SERVICE_STATUS, SERVICE_STOP_PENDING, SERVICE_STOPPED, SERVICE_TABLE_ENTRYW,
    SERVICE_WIN32_OWN_PROCESS, SetServiceStatus, StartServiceCtrlDispatcherW,
};
use windows_sys::core::{PWSTR, w};

use super::{processes, signal};
use crate::platform::Signal;
use crate::threads;

/// How often a service that is ending says that it still is at it. The manager waits for three
/// times as long.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// The number of checkpoints after which it reports no more, so that the manager gives up waiting.
const MOST_CHECKPOINTS: u32 = 30;

/// The work of the service.
static WORK: OnceLock<fn(&Path) -> ExitCode> = OnceLock::new();
/// The handle to report its state to; null while this is no service.
static HANDLE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// The last reported state.
static STATUS: Mutex<SERVICE_STATUS> = Mutex::new(SERVICE_STATUS {
    dwServiceType: SERVICE_WIN32_OWN_PROCESS,
    dwCurrentState: SERVICE_START_PENDING,
    dwControlsAccepted: 0,
    dwWin32ExitCode: NO_ERROR,
    dwServiceSpecificExitCode: 0,
    dwCheckPoint: 0,
    dwWaitHint: 30_000,
});

/// Does `work` as the service that this process was started as; `None`, and nothing done, when it
/// was not started as one.
pub(super) fn serve(work: fn(&Path) -> ExitCode) -> Option<ExitCode> {
    if !may_be_service() || WORK.set(work).is_err() {
        return None;
    }
    // A process has one service, whose name here does not matter to the system.
    let table = [
        SERVICE_TABLE_ENTRYW {
            lpServiceName: w!("").cast_mut(),
            lpServiceProc: Some(service_main),
        },
        SERVICE_TABLE_ENTRYW::default(),
    ];
    // SAFETY: the table ends with an empty entry and lives as long as the call, and the name is not
    // written to. It returns when the service has stopped, or at once when the manager does not
    // know of this process.
    match unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) } {
        0 => None,
        _ => Some(ExitCode::from(u8::from(status().dwWin32ExitCode != 0))),
    }
}

/// Returns true if the service control manager started this process. Session 0 proves little: tasks
/// and remote shells run there too, and would wait for a manager that does not answer them.
fn may_be_service() -> bool {
    processes::parent().is_some_and(|parent| parent.is_program("services.exe"))
}

/// Called by the system in a thread of its own.
unsafe extern "system" fn service_main(_count: u32, _words: *mut PWSTR) {
    // SAFETY: the name is NUL-terminated, and the handler a function of the right type that lives
    // as long as the program.
    let handle = unsafe { RegisterServiceCtrlHandlerExW(w!(""), Some(handle), ptr::null()) };
    HANDLE.store(handle, Ordering::Release);
    report(|_| ());
    let code = WORK
        .get()
        .map_or(ExitCode::FAILURE, |work| work(&super::home()));
    report(|status| {
        status.dwCurrentState = SERVICE_STOPPED;
        status.dwControlsAccepted = 0;
        status.dwCheckPoint = 0;
        status.dwWaitHint = 0;
        if code != ExitCode::SUCCESS {
            status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
            status.dwServiceSpecificExitCode = 1;
        }
    });
}

/// Reports that the service is running: the settings are valid and the work begins. Does nothing in
/// a process that is no service.
pub fn say_ready() {
    report(|status| {
        status.dwCurrentState = SERVICE_RUNNING;
        status.dwControlsAccepted =
            SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PARAMCHANGE;
        status.dwWaitHint = 0;
    });
}

/// Called by the system for each request, in the program's first thread; must return soon.
unsafe extern "system" fn handle(
    request: u32,
    _kind: u32,
    _data: *mut c_void,
    _context: *mut c_void,
) -> u32 {
    match request {
        SERVICE_CONTROL_STOP | SERVICE_CONTROL_SHUTDOWN => {
            begin_to_stop();
            signal::post(Signal::Terminate);
        }
        SERVICE_CONTROL_PARAMCHANGE => signal::post(Signal::Reload),
        SERVICE_CONTROL_INTERROGATE => {}
        _ => return ERROR_CALL_NOT_IMPLEMENTED,
    }
    NO_ERROR
}

/// From now on the service is ending, and says at each checkpoint that it still is at it.
fn begin_to_stop() {
    report(|status| {
        status.dwCurrentState = SERVICE_STOP_PENDING;
        status.dwControlsAccepted = 0;
        status.dwCheckPoint = 1;
        status.dwWaitHint = 3 * CHECKPOINT.as_millis() as u32;
    });
    let go_on = || {
        for _ in 1..MOST_CHECKPOINTS {
            thread::sleep(CHECKPOINT);
            report(|status| status.dwCheckPoint += 1);
        }
    };
    // Without the thread the end itself is still reported.
    let _no_checkpoints = threads::spawn("stopping", go_on);
}

/// Reports a change of the state. After the end there is none.
fn report(change: impl FnOnce(&mut SERVICE_STATUS)) {
    let handle = HANDLE.load(Ordering::Acquire);
    let mut status = status();
    if handle.is_null() || status.dwCurrentState == SERVICE_STOPPED {
        return;
    }
    change(&mut status);
    // SAFETY: the handle is the service's, which needs no closing, and the state is valid for the
    // call. The manager is the only one to whom a failure could be reported.
    unsafe { SetServiceStatus(handle, &*status) };
}

fn status() -> MutexGuard<'static, SERVICE_STATUS> {
    threads::lock(&STATUS)
}
