//! Go's package path, for keys and for the template functions `base` and `dir`: pure text, `/`
//! only.

/// The shortest equivalent path, as Go's `path.Clean`: `.` for nothing, no `..` above the root.
pub fn clean(path: &str) -> String {
    if is_clean_key(path) {
        return path.to_owned();
    }
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => match kept.last() {
                Some(&last) if last != ".." => {
                    kept.pop();
                }
                _ if rooted => {}
                _ => kept.push(".."),
            },
            _ => kept.push(segment),
        }
    }
    match (rooted, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

/// True if [`clean`] would return this rooted path unchanged.
pub fn is_clean_key(path: &str) -> bool {
    path == "/"
        || path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(|s| !matches!(s, "" | "." | "..")))
}

/// All but the last segment, cleaned: Go's `path.Dir`.
pub fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |slash| &path[..=slash]))
}

/// The last segment: Go's `path.Base` (`.` for nothing, `/` for nothing but slashes).
pub fn base(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        _ if trimmed.is_empty() => "/",
        Some(slash) => &trimmed[slash + 1..],
        None => trimmed,
    }
}

/// The directory of a clean key, without allocating: [`dir`] of it.
pub fn key_dir(key: &str) -> &str {
    match key.rfind('/') {
        Some(0) | None => "/",
        Some(slash) => &key[..slash],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_is_gos() {
        for (path, want) in [
            ("", "."),
            (".", "."),
            ("/", "/"),
            ("//", "/"),
            ("/a/", "/a"),
            ("a//b/./c/..", "a/b"),
            ("/..", "/"),
            ("/../a/../../b", "/b"),
            ("../../a", "../../a"),
            ("a/../..", ".."),
            ("/a/b/../../..", "/"),
        ] {
            assert_eq!(clean(path), want, "{path}");
            assert_eq!(is_clean_key(path), path == want && path.starts_with('/'));
        }
    }

    #[test]
    fn dir_and_base_are_gos() {
        for (path, want_dir, want_base) in [
            ("", ".", "."),
            ("/", "/", "/"),
            ("///", "/", "/"),
            ("a", ".", "a"),
            ("/a", "/", "a"),
            ("/a/b", "/a", "b"),
            ("/a/b/", "/a/b", "b"),
            ("a/b//", "a/b", "b"),
        ] {
            assert_eq!((dir(path).as_str(), base(path)), (want_dir, want_base));
        }
        assert_eq!(
            [key_dir("/"), key_dir("/a"), key_dir("/a/b")],
            ["/", "/", "/a"]
        );
    }
}
