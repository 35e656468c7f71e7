//! The service control manager, as the installer needs it: one service made, changed, started,
//! stopped and deleted.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_LEVEL, ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_NOT_ACTIVE,
};
use windows_sys::Win32::System::Services::{
    ChangeServiceConfig2W, ChangeServiceConfigW, CloseServiceHandle, ControlService,
    CreateServiceW, DeleteService, OpenSCManagerW, OpenServiceW, QUERY_SERVICE_CONFIGW,
    QueryServiceConfigW, QueryServiceStatus, SC_ACTION, SC_ACTION_RESTART, SC_HANDLE,
    SC_MANAGER_CONNECT, SC_MANAGER_CREATE_SERVICE, SERVICE_ALL_ACCESS, SERVICE_AUTO_START,
    SERVICE_CONFIG, SERVICE_CONFIG_DESCRIPTION, SERVICE_CONFIG_FAILURE_ACTIONS,
    SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, SERVICE_CONTROL_STOP, SERVICE_DEMAND_START,
    SERVICE_DESCRIPTIONW, SERVICE_ERROR_NORMAL, SERVICE_FAILURE_ACTIONS_FLAG,
    SERVICE_FAILURE_ACTIONSW, SERVICE_NO_CHANGE, SERVICE_RUNNING, SERVICE_START_PENDING,
    SERVICE_STATUS, SERVICE_STATUS_CURRENT_STATE, SERVICE_STOP_PENDING, SERVICE_STOPPED,
    SERVICE_WIN32_OWN_PROCESS, StartServiceW,
};

/// How long a service may take to start or to stop.
const TIMEOUT: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(100);
/// When one that has failed is started again, in milliseconds: the first time, the second, and from
/// then on.
const RESTARTS: [u32; 3] = [5_000, 5_000, 60_000];
/// Seconds without a failure after which the next one counts as the first.
const FORGIVEN: u32 = 3600;

/// The properties of a service, except its name.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// Its name in lists.
    pub title: &'a str,
    /// Its purpose, for administrators.
    pub description: &'a str,
    /// Its command line.
    pub command: &'a str,
}

/// An open handle of the manager.
#[derive(Debug)]
struct Handle(SC_HANDLE);

impl Handle {
    fn new(handle: SC_HANDLE) -> io::Result<Handle> {
        match handle.is_null() {
            true => Err(io::Error::last_os_error()),
            false => Ok(Handle(handle)),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody else's. There is nothing to do about a failure.
        unsafe { CloseServiceHandle(self.0) };
    }
}

/// The manager of this machine.
#[derive(Debug)]
pub(super) struct Manager(Handle);

impl Manager {
    /// Only administrators get it.
    pub(super) fn open() -> io::Result<Manager> {
        let access = SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE;
        // SAFETY: the null pointers stand for this machine and its usual database.
        let handle = unsafe { OpenSCManagerW(ptr::null(), ptr::null(), access) };
        Handle::new(handle).map(Manager)
    }

    /// The service of this name, if there is one.
    pub(super) fn find(&self, name: &str) -> io::Result<Option<Service>> {
        // SAFETY: the manager is open, and the name NUL-terminated.
        let handle = unsafe { OpenServiceW(self.0.0, wide(name).as_ptr(), SERVICE_ALL_ACCESS) };
        match Handle::new(handle) {
            Ok(handle) => Ok(Some(Service(handle))),
            Err(error) if is(&error, ERROR_SERVICE_DOES_NOT_EXIST) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a service that is started on demand.
    pub(super) fn create(&self, name: &str, wanted: &Wanted<'_>) -> io::Result<Service> {
        // SAFETY: the manager is open, all texts are NUL-terminated; the null pointers stand for no
        // group and no dependencies, and for the system's own account.
        let handle = unsafe {
            CreateServiceW(
                self.0.0,
                wide(name).as_ptr(),
                wide(wanted.title).as_ptr(),
                SERVICE_ALL_ACCESS,
                SERVICE_WIN32_OWN_PROCESS,
                SERVICE_DEMAND_START,
                SERVICE_ERROR_NORMAL,
                wide(wanted.command).as_ptr(),
                ptr::null(),
                ptr::null_mut(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
            )
        };
        Handle::new(handle).map(Service)
    }
}

/// One service.
#[derive(Debug)]
pub(super) struct Service(Handle);

impl Service {
    /// Its command line.
    pub(super) fn command(&self) -> io::Result<String> {
        let mut needed = 0;
        // SAFETY: the service is open; with no buffer the call only says how much it needs.
        unsafe { QueryServiceConfigW(self.0.0, ptr::null_mut(), 0, &mut needed) };
        // Of u64, so that the answer is aligned.
        let mut answer = vec![0_u64; (needed as usize).div_ceil(size_of::<u64>())];
        let config: *mut QUERY_SERVICE_CONFIGW = answer.as_mut_ptr().cast();
        // SAFETY: the service is open, and the buffer has at least the length given.
        check(unsafe { QueryServiceConfigW(self.0.0, config, needed, &mut needed) })?;
        // SAFETY: the system has filled in the answer, whose texts are in the same buffer.
        Ok(unsafe { super::host::wide_text((*config).lpBinaryPathName) })
    }

    /// Sets its command line and title.
    pub(super) fn change(&self, wanted: &Wanted<'_>) -> io::Result<()> {
        self.configure(
            SERVICE_NO_CHANGE,
            Some(&wide(wanted.command)),
            Some(&wide(wanted.title)),
        )
    }

    /// Makes the system start it at boot.
    pub(super) fn start_at_boot(&self) -> io::Result<()> {
        self.configure(SERVICE_AUTO_START, None, None)
    }

    fn configure(
        &self,
        start: u32,
        command: Option<&[u16]>,
        title: Option<&[u16]>,
    ) -> io::Result<()> {
        let or_null = |text: Option<&[u16]>| text.map_or(ptr::null(), <[u16]>::as_ptr);
        // SAFETY: the service is open, all texts are NUL-terminated, and the null pointers stand
        // for no change.
        check(unsafe {
            ChangeServiceConfigW(
                self.0.0,
                SERVICE_WIN32_OWN_PROCESS,
                start,
                SERVICE_NO_CHANGE,
                or_null(command),
                ptr::null(),
                ptr::null_mut(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
                or_null(title),
            )
        })
    }

    /// Sets its description, and makes the system restart it after a failure.
    pub(super) fn describe(&self, description: &str) -> io::Result<()> {
        let mut description = wide(description);
        let mut restarts = RESTARTS.map(|delay| SC_ACTION {
            Type: SC_ACTION_RESTART,
            Delay: delay,
        });
        let actions = SERVICE_FAILURE_ACTIONSW {
            dwResetPeriod: FORGIVEN,
            cActions: restarts.len() as u32,
            lpsaActions: restarts.as_mut_ptr(),
            ..SERVICE_FAILURE_ACTIONSW::default()
        };
        let text = SERVICE_DESCRIPTIONW {
            lpDescription: description.as_mut_ptr(),
        };
        let also_without_crash = SERVICE_FAILURE_ACTIONS_FLAG {
            fFailureActionsOnNonCrashFailures: 1,
        };
        // SAFETY: each value is of the type that goes with its level, and what it points to lives
        // as long.
        let flagged = unsafe {
            self.configure_more(SERVICE_CONFIG_DESCRIPTION, &text)?;
            self.configure_more(SERVICE_CONFIG_FAILURE_ACTIONS, &actions)?;
            self.configure_more(SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_without_crash)
        };
        match flagged {
            // Wine has no such flag.
            Err(error) if is(&error, ERROR_INVALID_LEVEL) => Ok(()),
            result => result,
        }
    }

    /// # Safety
    /// `value` is of the type that goes with `level`.
    unsafe fn configure_more<T>(&self, level: SERVICE_CONFIG, value: &T) -> io::Result<()> {
        // SAFETY: the service is open; the rest as the caller promises.
        check(unsafe { ChangeServiceConfig2W(self.0.0, level, ptr::from_ref(value).cast()) })
    }

    /// Returns true if it runs or is about to.
    pub(super) fn is_running(&self) -> io::Result<bool> {
        let state = self.state()?;
        Ok(state == SERVICE_RUNNING || state == SERVICE_START_PENDING)
    }

    fn state(&self) -> io::Result<SERVICE_STATUS_CURRENT_STATE> {
        let mut status = SERVICE_STATUS::default();
        // SAFETY: the service is open, and the pointer valid for the call.
        check(unsafe { QueryServiceStatus(self.0.0, &mut status) })?;
        Ok(status.dwCurrentState)
    }

    /// Starts it, and waits until it runs.
    pub(super) fn start(&self) -> io::Result<()> {
        // SAFETY: the service is open; without words there is no list of them.
        check(unsafe { StartServiceW(self.0.0, 0, ptr::null()) })?;
        match self.wait_while(SERVICE_START_PENDING)? {
            SERVICE_RUNNING => Ok(()),
            _ => Err(io::Error::other("it exited at once; see its log")),
        }
    }

    /// Stops it, if it runs, and waits until it has ended.
    pub(super) fn stop(&self) -> io::Result<()> {
        if self.wait_while(SERVICE_START_PENDING)? == SERVICE_RUNNING {
            let mut status = SERVICE_STATUS::default();
            // SAFETY: the service is open, and the pointer valid for the call.
            let sent =
                check(unsafe { ControlService(self.0.0, SERVICE_CONTROL_STOP, &mut status) });
            sent.or_else(|error| match is(&error, ERROR_SERVICE_NOT_ACTIVE) {
                true => Ok(()),
                false => Err(error),
            })?;
        }
        match self.wait_while(SERVICE_STOP_PENDING)? {
            SERVICE_STOPPED => Ok(()),
            state => Err(io::Error::other(format!("it is in state {state} instead"))),
        }
    }

    /// Waits for the end of a state; returns the one after it.
    fn wait_while(
        &self,
        pending: SERVICE_STATUS_CURRENT_STATE,
    ) -> io::Result<SERVICE_STATUS_CURRENT_STATE> {
        let until = Instant::now() + TIMEOUT;
        loop {
            match self.state()? {
                state if state != pending => return Ok(state),
                _ if Instant::now() >= until => return Err(ErrorKind::TimedOut.into()),
                _ => thread::sleep(PAUSE),
            }
        }
    }

    /// Deletes it. While others have it open (the control panel), its name stays taken.
    pub(super) fn delete(self) -> io::Result<()> {
        // SAFETY: the service is open.
        check(unsafe { DeleteService(self.0.0) })
    }
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

fn check(done: i32) -> io::Result<()> {
    match done {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn wide(text: &str) -> Vec<u16> {
    OsStr::new(text).encode_wide().chain([0]).collect()
}
