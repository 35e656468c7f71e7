//! One file at one place in the life of the cluster: its template, its content with the origin of
//! each part, what changed since the stage before, and what is wrong with it.

use std::fs;
use std::path::Path;

use app_agent::config::Source;
use app_agent::config::table::read_file;
use app_agent::error::{Error, Kind};
use app_agent::resource::{self, Resource, Templates, template_path};
use app_agent::template::{self, MAX_SOURCE};
use app_agent::tools::rehearse::{Before, Stage};
use serde_json::{Value as Json, json};

use crate::language::stage_in_chinese;
use crate::output;
use crate::selection::{Life, Place, stage_id};

/// The answer to a selection. `known` is the tree that the page has already.
pub(crate) fn show(life: &Life, request: &Json) -> Json {
    let place = life.place(request);
    let stages = life.stages(place.node);
    let (resources, unread) = resources(life);
    let wanted = request["file"].as_str().unwrap_or_default();
    let named = resources.iter().find(|(name, _)| name == wanted);
    let broken = unread.iter().any(|(name, _)| name == wanted);
    let first = resources.first().filter(|_| !broken);
    let file = match named.or(first) {
        Some((name, resource)) => show_file(life, place, name, resource),
        None => show_unread(life, unread.iter().find(|(name, _)| name == wanted)),
    };
    let (node, stage) = (life.viewpoints.get(place.node), stages.get(place.stage));
    let abouts = stage.map_or(Vec::new(), Stage::abouts);
    let config = &life.state.config;
    let mut answer = json!({
        "image": image_name(&config.confdir),
        "source": match &config.source {
            Source::File(files) => files.iter().map(|path| path.display().to_string()).collect(),
            Source::Metad(_) => vec!["metad".to_owned()],
            Source::Env => Vec::new(),
        },
        "generation": life.state.generation,
        "problems": life.state.problems.iter().map(|problem| json!({
            "message": problem.message,
            "origin": problem.origin.name(),
        })).collect::<Vec<_>>(),
        "nodes": nodes(life),
        "roles": life.plan.roles(),
        "node": node.map(|node| node.name.as_str()),
        "stages": stages.iter().map(show_stage).collect::<Vec<_>>(),
        "stage": stage.map(stage_id),
        "about": abouts.get(place.variant),
        "files": resources.iter().map(|(name, resource)| json!({
            "name": name,
            "dest": resource.dest().display().to_string(),
            "src": resource.src(),
        })).collect::<Vec<_>>(),
        "unread": unread.iter().map(|(name, message)| json!({
            "name": name,
            "message": message,
        })).collect::<Vec<_>>(),
        "file": file,
    });
    let id = tree_id(life, place, request);
    if request["tree"].as_str() != Some(id.as_str()) {
        answer["tree"] = json!({"id": id, "leaves": leaves(life, place)});
    }
    answer
}

/// The name of an image's directory.
pub(crate) fn image_name(confdir: &Path) -> String {
    let path = fs::canonicalize(confdir).unwrap_or_else(|_| confdir.to_owned());
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_default()
}

/// Something of each file in conf.d, by its name below it.
type ByName<T> = Vec<(String, T)>;

/// The resources, and the errors of those that cannot be read.
pub(crate) fn resources(life: &Life) -> (ByName<Resource>, ByName<String>) {
    let config = &life.state.config;
    let directory = config.confdir.join("conf.d");
    let (mut resources, mut unread) = (Vec::new(), Vec::new());
    let found = match resource::list(&directory) {
        Ok(found) => found,
        Err(error) => {
            unread.push((directory.display().to_string(), error.chain()));
            Vec::new()
        }
    };
    for path in found {
        let name = path
            .strip_prefix(&directory)
            .unwrap_or(&path)
            .display()
            .to_string();
        match Resource::load(&path, config) {
            Ok(resource) => resources.push((name, resource)),
            Err(error) => unread.push((name, error.chain())),
        }
    }
    (resources, unread)
}

fn nodes(life: &Life) -> Vec<Json> {
    let recorded = life.plan.recorded_node();
    let nodes = life.viewpoints.iter().map(|node| {
        json!({
            "name": node.name,
            "joins": node.joins,
            "recorded": recorded.as_ref() == Some(&node.name),
        })
    });
    nodes.collect()
}

fn show_stage(stage: &Stage) -> Json {
    json!({
        "id": stage_id(stage),
        "slug": stage.slug,
        "role": stage.role,
        "name": stage.name,
        "chinese": stage_in_chinese(stage.slug),
        "group": stage.group.name(),
        "after": match stage.before {
            Before::Stage(before) => Some(before),
            Before::Unknown | Before::Nothing => None,
        },
        "is_first": stage.before == Before::Unknown,
        "is_seen": stage.is_seen,
        "abouts": stage.abouts(),
    })
}

/// A name for the metadata at a place: another one whenever something is different.
fn tree_id(life: &Life, place: Place, request: &Json) -> String {
    let generation = life.state.generation;
    let Place {
        node,
        stage,
        variant,
    } = place;
    format!("{generation} {node} {stage} {variant} {}", request["edits"])
}

/// Key, value and a number for each leaf: 0 as recorded, 1 edited, 2 made by the stage.
fn leaves(life: &Life, place: Place) -> Vec<Json> {
    let tree = life.tree_at(place);
    let mut known = life.tree.leaves().peekable();
    let mut list = Vec::with_capacity(3 * tree.len());
    for (key, value) in tree.leaves() {
        while known.next_if(|(before, _)| *before < key).is_some() {}
        let is_same = known
            .peek()
            .is_some_and(|(same, recorded)| *same == key && *recorded == value);
        let kind = match is_same {
            true if life.edits.touch(&key) => 1,
            true => 0,
            false => 2,
        };
        list.extend([Json::from(key), Json::from(value), Json::from(kind)]);
    }
    list
}

fn show_file(life: &Life, place: Place, name: &str, resource: &Resource) -> Json {
    let config = &life.state.config;
    let src = template_path(&config.confdir.join("templates"), resource.src());
    let before = life.file_before(place, name);
    let rendered = resource.render_traced(&mut Templates::default(), &life.tree_at(place), config);
    let mut file = json!({
        "name": name,
        "dest": resource.dest().display().to_string(),
        "src": resource.src(),
        "template": text_of(&src),
        "resource": text_of(resource.path()),
        "reload_cmd": resource.reload(Vec::new()).map(|reload| reload.text),
        "check_cmd": resource.check_cmd(),
    });
    // Without any metadata every file would fail, and for no reason of its own.
    if life.tree.is_empty() {
        return file;
    }
    let before = match before {
        Ok(before) => before,
        Err(problem) => {
            file["error"] = json!({"message": problem});
            return file;
        }
    };
    file["is_new"] = before.is_none().into();
    match rendered {
        Ok((content, _)) if resource.leaves_alone(&content, before.is_some()) => {
            let is_skipped = resource.leaves_alone(&content, false);
            let reason = if is_skipped {
                "skip_empty"
            } else {
                "create_only"
            };
            file["stays"] = reason.into();
            file["output"] = before.map_or(Json::Null, |before| output::plain(&before));
        }
        Ok((content, provenance)) => {
            file["output"] = output::traced(&content, &provenance);
            let changes = before.and_then(|before| output::changes(&before, &content));
            file["changes"] = changes.unwrap_or_default();
        }
        Err(error) => {
            file["error"] = show_error(&error);
            // The one that stays on the disk.
            file["output"] = before.map_or(Json::Null, |before| output::plain(&before));
        }
    }
    file
}

/// A resource that cannot be read, with its text and the reason.
fn show_unread(life: &Life, unread: Option<&(String, String)>) -> Json {
    let Some((name, message)) = unread else {
        return json!({"name": null});
    };
    let path = life.state.config.confdir.join("conf.d").join(name);
    json!({
        "name": name,
        "resource": text_of(&path),
        "error": {"message": message},
    })
}

fn text_of(path: &Path) -> String {
    let bytes = read_file(path, MAX_SOURCE as u64).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An error, with its places in templates, and what to do.
fn show_error(error: &Error) -> Json {
    match error.kind() {
        Kind::Template(cause) | Kind::Unprocessed { error: cause, .. } => {
            let places = std::iter::once(cause).chain(cause.further());
            json!({
                "message": error.to_string(),
                "details": cause.details(),
                "places": places.map(show_place).collect::<Vec<_>>(),
            })
        }
        _ => json!({"message": error.chain()}),
    }
}

fn show_place(error: &template::Error) -> Json {
    let place = error.innermost();
    json!({
        "template": place.template(),
        "line": place.line(),
        "message": error.to_string(),
        "cure": error.cure(),
    })
}
