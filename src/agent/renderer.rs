//! Threads that render, and look whether what was rendered would be different now: all that waits
//! for file systems and name servers.
//!
//! One job is in a thread at a time, and one thread does all jobs. When a job hangs, the thread is
//! left behind with it, and the next job gets a new thread; the one left behind ends with its job.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread::Builder;
use std::time::Instant;

use super::Event;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::resource::{Rendered, Resource, Stamp, SystemInputs, Templates};
use crate::tree::Tree;

/// The stack of the main thread on most systems. Templates nest.
const STACK: usize = 8 << 20;

/// Something to do for one resource.
#[derive(Debug)]
pub(super) struct Job {
    pub path: PathBuf,
    pub resource: Arc<Resource>,
    pub config: Arc<Config>,
    pub work: Work,
}

/// The kind of the work.
#[derive(Debug)]
pub(super) enum Work {
    /// Render this tree.
    Render(Arc<Tree>),
    /// Look whether a rendering would be the same, and what became of the file.
    Inspect {
        inputs: SystemInputs,
        /// Where the file is.
        place: Option<PathBuf>,
        /// Not to ask name servers and the like again.
        files_only: bool,
    },
}

/// The result of an inspection.
#[derive(Debug)]
pub struct Inspection {
    /// The template has changed, or a call would return something else.
    pub has_changed: bool,
    /// The inputs as they are known now.
    pub inputs: SystemInputs,
    /// The file on disk; none when it is missing, or when that was not asked.
    pub dest: Option<Stamp>,
}

/// The threads.
#[derive(Debug)]
pub(super) struct Renderer {
    queue: SyncSender<Event>,
    worker: Option<Worker>,
    last_job: u64,
}

/// One thread; it ends when this is dropped and its job is done.
#[derive(Debug)]
struct Worker {
    jobs: Sender<(u64, Job)>,
    job: Option<Doing>,
}

/// The job in progress.
#[derive(Clone, Copy, Debug)]
struct Doing {
    number: u64,
    since: Instant,
    is_inspection: bool,
}

impl Renderer {
    /// A renderer that posts its results to `queue`.
    pub(super) fn new(queue: SyncSender<Event>) -> Renderer {
        Renderer {
            queue,
            worker: None,
            last_job: 0,
        }
    }

    /// When the job in progress began; none when it has nothing to do.
    pub(super) fn busy_since(&self) -> Option<Instant> {
        Some(self.worker.as_ref()?.job?.since)
    }

    /// Leaves an inspection in progress to its thread: a rendering does not wait for it.
    pub(super) fn leave_inspection(&mut self) {
        let job = self.worker.as_ref().and_then(|worker| worker.job);
        if job.is_some_and(|job| job.is_inspection) {
            self.leave_behind();
        }
    }

    /// Starts a job, for which nothing may be in progress; returns its number.
    pub(super) fn start(&mut self, job: Job) -> Result<u64> {
        self.last_job += 1;
        let number = self.last_job;
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.spawn(&job)?,
        };
        let worker = self.worker.insert(worker);
        worker.job = Some(Doing {
            number,
            since: Instant::now(),
            is_inspection: matches!(job.work, Work::Inspect { .. }),
        });
        // The thread ends only after this sender.
        let _sent = worker.jobs.send((number, job));
        Ok(number)
    }

    fn spawn(&self, job: &Job) -> Result<Worker> {
        let (jobs, receiver) = mpsc::channel::<(u64, Job)>();
        let queue = self.queue.clone();
        let work = move || {
            let mut templates = Templates::default();
            for (number, job) in receiver {
                // Nobody listens any more when the loop has ended.
                if queue.send(job.run(number, &mut templates)).is_err() {
                    return;
                }
            }
        };
        let thread = Builder::new().name("renderer".to_owned()).stack_size(STACK);
        thread
            .spawn(work)
            .map_err(|source| Error::io("start a thread for", &job.path, source))?;
        Ok(Worker { jobs, job: None })
    }

    /// The job of this number is done.
    pub(super) fn finish(&mut self, number: u64) {
        if let Some(worker) = &mut self.worker
            && worker.job.is_some_and(|job| job.number == number)
        {
            worker.job = None;
        }
    }

    /// Leaves the job in progress to its thread; the next one gets a new thread.
    pub(super) fn leave_behind(&mut self) {
        self.worker = None;
    }
}

impl Job {
    fn run(self, number: u64, templates: &mut Templates) -> Event {
        let Job {
            path,
            resource,
            config,
            work,
        } = self;
        match work {
            Work::Render(tree) => {
                let outcome = resource.render(templates, &tree, &config);
                // A file system that does not answer holds up this thread, and not the loop, which
                // looks at the file next and reports what is wrong with it.
                let _only_waited_for = std::fs::metadata(resource.dest());
                let outcome: Result<Box<Rendered>> = outcome.map(Box::new);
                Event::Rendered {
                    path,
                    job: number,
                    outcome,
                }
            }
            Work::Inspect {
                mut inputs,
                place,
                files_only,
            } => {
                let has_changed = inputs.have_files_changed()
                    || (!files_only && inputs.have_calls_changed(&config));
                let dest = place.and_then(|place| std::fs::metadata(place).ok());
                Event::Inspected {
                    path,
                    job: number,
                    found: Box::new(Inspection {
                        has_changed,
                        inputs,
                        dest: dest.map(|metadata| Stamp::of(&metadata)),
                    }),
                }
            }
        }
    }
}
