//! The questions of the page and their answers, in JSON.

use std::sync::{Arc, Mutex};

use app_agent::tools::dump;
use serde_json::{Value as Json, json};

use crate::image::Image;
use crate::overview::{self, Tickets};
use crate::selection::{Life, lock};
use crate::what_if::Edits;
use crate::{findings, uses, view};

/// Everything that the questions are about.
pub(crate) struct Lab {
    pub image: Image,
    /// The life that was asked about last: most questions are about the same.
    life: Mutex<Option<Arc<Life>>>,
    tickets: Tickets,
}

impl Lab {
    pub(crate) fn new(image: Image) -> Lab {
        Lab {
            image,
            life: Mutex::default(),
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

    fn life(&self, request: &Json) -> Result<Arc<Life>, String> {
        let edits = Edits::from_json(&request["edits"])?;
        let state = self.image.state();
        let mut known = lock(&self.life);
        if let Some(life) = &*known
            && life.state.generation == state.generation
            && life.edits == edits
        {
            return Ok(Arc::clone(life));
        }
        self.tickets.give_up();
        let life = Arc::new(Life::new(state, edits));
        *known = Some(Arc::clone(&life));
        Ok(life)
    }
}
