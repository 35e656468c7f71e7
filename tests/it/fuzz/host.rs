//! confd's own functions over the cases' metadata, but for those that ask the machine: they would
//! wait for name servers, or answer differently the next time. `include` finds the files in
//! `templates/`, which include others and themselves.

use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use app_agent::go::time::{Local, Offset, Time, Zone};
use app_agent::resource::funcs::{FUNCTIONS, Funcs, HostEnv};
use app_agent::template::{Budget, CallError, Function, Host, Options, Value};
use app_agent::tree::{Tree, View};

static VIEW: LazyLock<View> = LazyLock::new(|| {
    let datasets = include_bytes!("../../conformance/datasets.json");
    let tree = Tree::from_json(datasets).expect("the data sets are JSON");
    Arc::new(tree).view("/kv", &["/".to_owned()])
});

/// The functions for one rendering.
pub(super) struct Machineless(Funcs);

impl Machineless {
    pub(super) fn new(options: Options) -> Machineless {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(file!());
        let around = HostEnv {
            templates: here.with_file_name("templates"),
            options,
            variable: |_| None,
            zone: Local::new(Zone::of_system("Local", zone)),
        };
        Machineless(Funcs::new(VIEW.clone(), around))
    }
}

fn zone(_: i64) -> Offset {
    Offset {
        seconds: 3600,
        name: "XST".into(),
        is_dst: false,
    }
}

impl Host for Machineless {
    fn functions(&self) -> &'static [Function] {
        FUNCTIONS
    }

    fn call(
        &mut self,
        index: usize,
        args: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        match FUNCTIONS[index].name {
            "lookupIP" | "lookupIPV4" | "lookupIPV6" => Ok(Value::Strings(Rc::new([]))),
            "lookupIfaceIPV4" | "lookupIfaceIPV6" | "hostname" => Ok(Value::text("here")),
            "lookupSRV" => Ok(Value::Services(Rc::new([]))),
            "fileExists" => Ok(Value::Bool(true)),
            "datetime" => Ok(Value::Time(Rc::new(Time {
                seconds: 1,
                nanos: 2,
                utc: false,
                local: Local::new(Zone::of_system("Local", zone)),
            }))),
            _ => self.0.call(index, args, budget),
        }
    }
}
