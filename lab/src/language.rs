//! The languages of the page and the report. Findings and errors are confd's own words, in English.

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Chinese,
}

impl Language {
    /// The language that `-lang` names.
    pub(crate) fn named(name: &str) -> Option<Language> {
        match name {
            "en" => Some(Language::English),
            "zh" | "zh-CN" => Some(Language::Chinese),
            _ => None,
        }
    }
}

/// The names of the rehearsal's stages in Chinese, by the names of their directories.
#[rustfmt::skip]
const STAGES: &[(&str, &str)] = &[
    ("as-recorded", "按录制"),
    ("created", "创建，每个角色一个节点"),
    ("scale-out", "扩容：节点加入"),
    ("scale-out-done", "扩容：完成"),
    ("scale-in", "缩容：节点离开"),
    ("scale-in-done", "缩容：完成"),
    ("vertical-scaling", "纵向伸缩"),
    ("vertical-scaling-done", "纵向伸缩：完成"),
    ("role-without-nodes", "没有节点的角色"),
    ("restarted", "停止后启动"),
    ("link-absent", "缺少链接"),
    ("parameter-empty", "参数为空"),
    ("between-scale-out", "仅在 adding-hosts 中"),
    ("between-scale-in", "仅在 deleting-hosts 中"),
    ("parameter-absent", "缺少参数"),
];

/// The name of a stage in Chinese; none for one that is not known.
pub(crate) fn stage_in_chinese(slug: &str) -> Option<&'static str> {
    let found = STAGES.iter().find(|(known, _)| *known == slug);
    found.map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use app_agent::tools::rehearse::Stage;

    #[test]
    fn every_stage_has_a_name() {
        for slug in Stage::SLUGS {
            assert!(stage_in_chinese(slug).is_some(), "{slug}");
        }
        assert_eq!(STAGES.len(), Stage::SLUGS.len());
    }
}
