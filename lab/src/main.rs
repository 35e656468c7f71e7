//! `confd-lab`: shows an image of confd in the browser while it is edited, and writes reports of
//! its rehearsal.
//!
//! A program for the machine of a template author, never installed on an image. Everything about
//! metadata, templates and stages is done by the agent's own library.

mod access;
mod api;
mod args;
mod findings;
mod http;
mod image;
mod language;
mod live;
mod output;
mod overview;
mod page;
mod report;
mod selection;
mod server;
mod uses;
mod view;
mod what_if;

use std::process::ExitCode;

use app_agent::log::{self, Level};

use args::Command;

fn main() -> ExitCode {
    // What the library would log is on the page.
    log::set_level(Level::Fatal);
    match args::parse(std::env::args_os().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(args::Failure { message, code }) => {
            eprintln!("confd-lab: {message}");
            ExitCode::from(code)
        }
    }
}

fn run(command: Command) -> Result<(), args::Failure> {
    match command {
        Command::Help => {
            print!("{}", args::HELP);
            Ok(())
        }
        Command::Show { image, port } => Ok(server::run(image::Image::open(image)?, port)?),
        Command::Report {
            image,
            path,
            redaction,
            language,
        } => Ok(report::write(image, &path, &redaction, language)?),
    }
}
