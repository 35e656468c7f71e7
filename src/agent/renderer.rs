//! Threads that render, and look whether what was rendered would be different now: all that waits
//! for file systems and name servers.
//!
//! One thread does all jobs, one after the other, and tells the loop when it has done all that it
//! was given: to wake the loop for each would take longer than most jobs. When a job hangs, the
//! thread is left behind with it, and the jobs after it get a new thread; the one left behind ends
//! with its job.

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::Event;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::resource::{Rendered, Resource, Stamp, SystemInputs, Templates};
use crate::threads::lock;
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
pub(super) struct Inspection {
    /// The template has changed, or a call would return something else.
    pub has_changed: bool,
    /// The inputs as they are known now.
    pub inputs: SystemInputs,
    /// The file on disk; none when it is missing, or when that was not asked.
    pub dest: Option<Stamp>,
}

/// A job that is done.
#[derive(Debug)]
pub(super) struct Done {
    pub path: PathBuf,
    pub job: u64,
    /// How long it took.
    pub took: Duration,
    pub outcome: Outcome,
}

/// The outcome of a job, by its kind.
#[derive(Debug)]
pub(super) enum Outcome {
    Rendered(Result<Box<Rendered>>),
    Inspected(Box<Inspection>),
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
    jobs: Arc<Jobs>,
    /// Tells it that there are jobs.
    wake: Sender<()>,
    is_inspecting: bool,
}

/// The jobs of one thread, which the thread and the loop share.
#[derive(Debug, Default)]
pub struct Jobs(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    waiting: VecDeque<(u64, Job)>,
    doing: Option<Doing>,
    done: Vec<Done>,
}

/// A job in progress.
#[derive(Clone, Debug)]
pub(super) struct Doing {
    pub path: PathBuf,
    pub job: u64,
    pub since: Instant,
}

/// The jobs of a thread that was left behind.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// The results that nobody has taken yet.
    pub done: Vec<Done>,
    /// The job that the thread keeps.
    pub doing: Option<Doing>,
    /// The resources whose jobs have not begun.
    pub waiting: VecDeque<PathBuf>,
}

impl Jobs {
    /// The jobs done since the last call.
    pub(super) fn take_done(&self) -> Vec<Done> {
        mem::take(&mut lock(&self.0).done)
    }

    /// Does all that wait.
    fn run(&self, templates: &mut Templates) {
        while let Some(job) = self.begin_next() {
            let outcome = job.run(templates);
            let mut lists = lock(&self.0);
            if let Some(Doing { path, job, since }) = lists.doing.take() {
                lists.done.push(Done {
                    path,
                    job,
                    took: since.elapsed(),
                    outcome,
                });
            }
        }
    }

    fn begin_next(&self) -> Option<Job> {
        let mut lists = lock(&self.0);
        let (number, job) = lists.waiting.pop_front()?;
        lists.doing = Some(Doing {
            path: job.path.clone(),
            job: number,
            since: Instant::now(),
        });
        Some(job)
    }
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

    /// When the job in progress began; none when there is nothing to do.
    pub(super) fn busy_since(&self) -> Option<Instant> {
        let lists = lock(&self.worker.as_ref()?.jobs.0);
        match &lists.doing {
            Some(doing) => Some(doing.since),
            // The thread begins the next one, or tells the loop of the last.
            None if !lists.waiting.is_empty() || !lists.done.is_empty() => Some(Instant::now()),
            None => None,
        }
    }

    /// Starts jobs of one kind, for which nothing may be in progress; returns the number of the
    /// first, after which they are counted.
    pub(super) fn start(&mut self, jobs: Vec<Job>) -> Result<u64> {
        let first = self.last_job + 1;
        let Some(job) = jobs.first() else {
            return Ok(first);
        };
        let is_inspecting = matches!(job.work, Work::Inspect { .. });
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => self.spawn(job)?,
        };
        let worker = self.worker.insert(worker);
        worker.is_inspecting = is_inspecting;
        self.last_job += jobs.len() as u64;
        lock(&worker.jobs.0).waiting.extend((first..).zip(jobs));
        // The thread ends only after this sender.
        let _sent = worker.wake.send(());
        Ok(first)
    }

    fn spawn(&self, job: &Job) -> Result<Worker> {
        let (wake, woken) = mpsc::channel();
        let queue = self.queue.clone();
        let jobs = Arc::new(Jobs::default());
        let own = Arc::clone(&jobs);
        let work = move || {
            let mut templates = Templates::default();
            for () in woken {
                own.run(&mut templates);
                // Nobody listens any more when the loop has ended.
                if queue.send(Event::Worked(Arc::clone(&own))).is_err() {
                    return;
                }
            }
        };
        let thread = Builder::new().name("renderer".to_owned()).stack_size(STACK);
        thread
            .spawn(work)
            .map_err(|source| Error::io("start a thread for", &job.path, source))?;
        Ok(Worker {
            jobs,
            wake,
            is_inspecting: false,
        })
    }

    /// The results that have come so far.
    pub(super) fn take_done(&self) -> Vec<Done> {
        let worker = self.worker.as_ref();
        worker.map_or_else(Vec::new, |worker| worker.jobs.take_done())
    }

    /// Leaves an inspection in progress to its thread; the next jobs get a new one.
    pub(super) fn leave_inspection(&mut self) {
        if self
            .worker
            .as_ref()
            .is_some_and(|worker| worker.is_inspecting)
        {
            self.worker = None;
        }
    }

    /// Leaves the rendering in progress to its thread; what comes after it is for a new one.
    pub(super) fn leave_rendering(&mut self) -> Left {
        let Some(worker) = self.worker.take_if(|worker| !worker.is_inspecting) else {
            return Left::default();
        };
        let mut lists = lock(&worker.jobs.0);
        Left {
            done: mem::take(&mut lists.done),
            doing: lists.doing.clone(),
            waiting: lists.waiting.drain(..).map(|(_, job)| job.path).collect(),
        }
    }
}

impl Job {
    fn run(self, templates: &mut Templates) -> Outcome {
        match self.work {
            Work::Render(tree) => {
                let rendered = self.resource.render(templates, &tree, &self.config);
                // A file system that does not answer holds up this thread, and not the loop, which
                // looks at the file next and reports what is wrong with it.
                let _only_waited_for = std::fs::metadata(self.resource.dest());
                Outcome::Rendered(rendered.map(Box::new))
            }
            Work::Inspect {
                mut inputs,
                place,
                files_only,
            } => {
                let has_changed = inputs.have_files_changed()
                    || (!files_only && inputs.have_calls_changed(&self.config));
                let dest = place.and_then(|place| std::fs::metadata(place).ok());
                Outcome::Inspected(Box::new(Inspection {
                    has_changed,
                    inputs,
                    dest: dest.map(|metadata| Stamp::of(&metadata)),
                }))
            }
        }
    }
}
