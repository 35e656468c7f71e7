//! The questions of the page and their answers, in JSON.

use std::sync::{Arc, Mutex};

use app_agent::tools::dump;
use serde_json::{Value as Json, json};

use crate::image::Image;
use crate::overview::{self, Tickets};
use crate::selection::{Life, lock};
use crate::what_if::Edits;
use crate::{findings, uses, view};

/// As many are kept: each may have the origins of many files.
const MOST_LIVES: usize = 4;

/// Everything that the questions are about.
pub(crate) struct Lab {
    pub image: Image,
    /// The lives that pages asked about last, the newest first: most questions are about the same.
    lives: Mutex<Vec<(String, Arc<Life>)>>,
    tickets: Tickets,
}

impl Lab {
    pub(crate) fn new(image: Image) -> Lab {
        Lab {
            image,
            lives: Mutex::default(),
            tickets: Tickets::default(),
        }
    }

    /// Answers a question. None when there is no such question.
    pub(crate) fn answer(&self, question: &str, request: &Json) -> Option<Result<Json, String>> {
        let life = || self.life(request);
        Some(match question {
            "view" => life().map(|life| view::show(&life, request)),
            "overview" => life().and_then(|life| overview::show(&life, request, &self.tickets)),
            "findings" => life().and_then(|life| findings::show(&life)),
            "uses" => life().map(|life| uses::find(&life, request)),
            "recording" => life().map(|life| json!({"text": dump::text_of(&life.tree, None)})),
            "another-node" => life().map(|life| {
                let role = request["role"].as_str().unwrap_or_default();
                json!({"leaves": life.plan.another_node(role)})
            }),
            _ => return None,
        })
    }

    /// The life that a page asks about. Overviews of the one that it asked about before are given
    /// up.
    fn life(&self, request: &Json) -> Result<Arc<Life>, String> {
        let edits = Edits::from_json(&request["edits"])?;
        let page = request["page"].as_str().unwrap_or_default();
        let state = self.image.state();
        let mut lives = lock(&self.lives);
        lives.retain(|(_, life)| life.state.generation == state.generation);
        let known = lives.iter().find(|(_, life)| life.edits == edits);
        let life = match known {
            Some((_, life)) => Arc::clone(life),
            None => Arc::new(Life::new(state, edits)),
        };
        let is_same = |(of, known): &(String, Arc<Life>)| of == page && Arc::ptr_eq(known, &life);
        if !lives.iter().any(is_same) {
            self.tickets.give_up(page);
        }
        lives.retain(|(of, _)| of != page);
        lives.insert(0, (page.to_owned(), Arc::clone(&life)));
        lives.truncate(MOST_LIVES);
        Ok(life)
    }
}
