//! The words of a report in both languages.

use app_agent::tools::console::counted;
use app_agent::tools::finding::{Report as Findings, Severity};
use app_agent::tools::rehearse::{Group, StageInfo};

use crate::language::{Language, stage_in_chinese};

/// The words of a language.
pub(super) struct Words {
    /// The language, as HTML names it.
    pub code: &'static str,
    pub title: &'static str,
    pub kind: &'static str,
    pub all_good: &'static str,
    pub failures_in_life: fn(usize) -> String,
    /// The numbers of files, stages and warnings, and the findings of -lint.
    pub facts: fn([usize; 3], &Findings) -> String,
    pub seen_from: fn(&[&str]) -> String,
    pub redacted: &'static str,
    pub failures: &'static str,
    pub warnings: &'static str,
    /// The resource and the numbers of stages.
    pub in_stage: fn(&str, &str) -> String,
    pub stages: &'static str,
    pub columns: [&'static str; 6],
    pub group: fn(Group) -> &'static str,
    /// The number of files that change, of all.
    pub of_all: fn(usize, usize) -> String,
    pub not_rehearsed: &'static str,
    pub findings: &'static str,
    pub changes: &'static str,
    pub files: &'static str,
    pub fails: &'static str,
    pub more_lines: fn(usize) -> String,
    pub stage: fn(&StageInfo) -> String,
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Words {
        match language {
            Language::English => &ENGLISH,
            Language::Chinese => &CHINESE,
        }
    }
}

const ENGLISH: Words = Words {
    code: "en",
    title: "Rehearsal of ",
    kind: "Rehearsal",
    all_good: "Every file is rendered in every stage of the cluster's life.",
    failures_in_life: |count| format!("{} in the life of the cluster.", counted(count, "failure")),
    facts: |[files, stages, warnings], findings| {
        format!(
            "{}, {}, {}. -lint: {}.",
            counted(files, "file"),
            counted(stages, "stage"),
            counted(warnings, "warning"),
            findings.summary(),
        )
    },
    seen_from: |nodes| format!(" Seen from {}.", nodes.join(", ")),
    redacted: " What looks secret is REDACTED.",
    failures: "Failures",
    warnings: "Warnings",
    in_stage: |resource, places| format!("{resource} in stage {places}"),
    stages: "Stages",
    columns: ["#", "stage", "after", "changed", "reloads", "failed"],
    group: |group| match group {
        Group::Life => "the life of the cluster",
        Group::Between => "between two writes of the platform (only warnings)",
        Group::Absent => "parameters that the application lacks (only warnings)",
    },
    of_all: |count, all| format!("{count} of {all}"),
    not_rehearsed: "Not rehearsed: ",
    findings: "Findings of -lint",
    changes: "What changes",
    files: "Files",
    fails: "It fails.",
    more_lines: |count| format!("{} more", counted(count, "line")),
    stage: |stage| stage.name.clone(),
};

const CHINESE: Words = Words {
    code: "zh-CN",
    title: "预演：",
    kind: "预演",
    all_good: "在集群生命周期的每个阶段，每个文件都能渲染。",
    failures_in_life: |count| format!("集群生命周期中有 {count} 处失败。"),
    facts: |[files, stages, warnings], findings| {
        let [errors, found] = [Severity::Error, Severity::Warning].map(|one| findings.count(one));
        format!(
            "{files} 个文件，{stages} 个阶段，{warnings} 个警告。-lint：{errors} 个错误，{found} 个警告。"
        )
    },
    seen_from: |nodes| format!("所见节点：{}。", nodes.join("、")),
    redacted: "疑似敏感的信息显示为 REDACTED。",
    failures: "失败",
    warnings: "警告",
    in_stage: |resource, places| format!("{resource}，阶段 {places}"),
    stages: "阶段",
    columns: ["#", "阶段", "上一阶段", "变化", "reload", "失败"],
    group: |group| match group {
        Group::Life => "集群的生命周期",
        Group::Between => "在平台的两次写入之间（只产生警告）",
        Group::Absent => "应用没有的参数（只产生警告）",
    },
    of_all: |count, all| format!("{count} / {all}"),
    not_rehearsed: "未预演：",
    findings: "-lint 的检查结果",
    changes: "变化",
    files: "文件",
    fails: "渲染失败。",
    more_lines: |count| format!("还有 {count} 行"),
    stage: |stage| match (stage_in_chinese(stage.slug), stage.role.as_str()) {
        (None, _) => stage.name.clone(),
        (Some(name), "") => name.to_owned(),
        (Some(name), role) => format!("{name} {role}"),
    },
};
