//! `confd`: flags -> config -> agent. Prints the error chain once and sets the exit code.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use app_agent::cli::{self, Args, Request, Tool};
use app_agent::config::{self, Config};
use app_agent::error::{self, Error, Result};
use app_agent::tools::{
    console, diff, doctor, dump, functions, get, lint, preview, rehearse, render, status,
};
use app_agent::{agent, cmd_info, log, platform};

#[global_allocator]
static ALLOCATOR: platform::Allocator = platform::ALLOCATOR;

fn main() -> ExitCode {
    platform::start(&platform::Roles {
        program,
        service,
        cmd_info: cmd_info::run,
    })
}

fn program() -> ExitCode {
    let mut args = env::args_os();
    let _program = args.next();
    let done = cli::parse(args).and_then(run);
    done.unwrap_or_else(|error| match error.kind() {
        error::Kind::Usage(_) => {
            eprintln!("confd: {}", error.chain());
            ExitCode::from(2)
        }
        error::Kind::Settings(_) => {
            log::fatal(error.chain());
            ExitCode::from(2)
        }
        _ => {
            log::fatal(error.chain());
            ExitCode::FAILURE
        }
    })
}

/// The same for the log: a service has no stderr.
fn service(home: &Path) -> ExitCode {
    log::write_to(home.join("log").join("confd.log"));
    cmd_info::recover(home);
    program()
}

fn run(asked: Request) -> Result<ExitCode> {
    match asked {
        Request::Help(text) | Request::Version(text) => {
            console::print(&(text + "\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        Request::Run(args) if args.is_given("root") && args.is_on("watch") => watch_image(args),
        Request::Run(args) => agent::run(Box::new(move || load(&args))),
        Request::Inspect(tool, args) => {
            log::speak_plainly();
            look(tool, args)
        }
    }
}

/// A preview when the metadata is recorded, else a daemon that keeps an image up to date.
fn watch_image(args: Args) -> Result<ExitCode> {
    if !preview::is_meant(&load(&args)?) {
        return agent::run(Box::new(move || load(&args)));
    }
    log::speak_plainly();
    preview::run(&args, || load(&args))
}

fn look(tool: Tool, args: Args) -> Result<ExitCode> {
    match tool {
        Tool::Diff => diff::run(&load(&args)?, &args),
        Tool::Dump => dump::run(&load(&args)?, &dump::Options::from_args(&args)),
        Tool::Render => render::run(&load(&args)?, &args),
        Tool::Get => get::run(&load(&args)?, &args),
        Tool::HelpFunctions => functions::run(&args),
        // These read the settings themselves, which may be what is wrong.
        Tool::Status => status::run(&args),
        Tool::Lint => lint::run(&args),
        Tool::Doctor => doctor::run(args),
        Tool::Rehearse => rehearse::run(load(&args)?, &args),
    }
}

/// The settings as they are now; what is odd about them is logged as they say.
fn load(args: &Args) -> Result<Config> {
    let config = Config::load(args, |name| env::var_os(name));
    let mut config = config.map_err(Error::in_settings)?;
    let variables = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    config.warnings.extend(config::unknown_variables(variables));
    log::set_level(config.log_level);
    config.warnings.iter().for_each(log::warning);
    Ok(config)
}
