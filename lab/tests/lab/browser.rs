//! The page in a real browser.

use std::path::Path;

use crate::driver;
use crate::env::Image;

#[test]
fn pictures() {
    let image = Image::zookeeper();
    let lab = image.show();
    let Some(browser) = driver::open("pictures", 1280, 800) else {
        return;
    };
    browser.go(&lab.address);
    browser.wait("document.documentElement.dataset.shown > 0");
    browser.wait("document.querySelector('.mark-reload') !== null");
    browser.click("[data-file=\"zoo.cfg.toml\"]");
    browser.wait_text("#output", "server.1");
    browser.picture(Path::new("/tmp/lab/p1.png"));
    browser.click("[data-stage=\"scale-out\"]");
    browser.wait_text("#output", "server.4");
    browser.point("#output .added .origin-of:nth-child(2)");
    browser.picture(Path::new("/tmp/lab/p2.png"));
    println!("{:?}", browser.errors());
}
