//! Black-box tests of the lab: the real program, asked over HTTP and in a real browser.

mod browser;
mod driver;
mod env;
mod origins;
mod report;
mod server;
mod trouble;
