//! AWS profiles: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Most bytes read of a profile's file.
const FILE_LIMIT: u64 = 1 << 20;

/// What the profile says, as options of the S3 backend. Where the environment names a key, the profile's keys are left
/// out: a key and a secret of different origin do not fit.
pub(super) fn options(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let home = environment.get("HOME").or_else(|| environment.get("USERPROFILE")).map(PathBuf::from);
    let file = |variable: &str, name: &str| {
        let named = environment.get(variable).map(PathBuf::from);
        named.or_else(|| home.as_ref().map(|home| home.join(".aws").join(name)))
    };
    let read = |path: Option<PathBuf>| {
        let content = path.and_then(|path| shared::fs::read_capped(&path, FILE_LIMIT).ok()).unwrap_or_default();
        String::from_utf8_lossy(&content).into_owned()
    };
    let profile = environment.get("AWS_PROFILE").map_or("default", String::as_str);
    let in_config = if profile == "default" { "default".to_owned() } else { format!("profile {profile}") };
    let mut said = section(&read(file("AWS_CONFIG_FILE", "config")), &in_config);
    said.extend(section(&read(file("AWS_SHARED_CREDENTIALS_FILE", "credentials")), profile));
    let keyed = environment.contains_key("AWS_ACCESS_KEY_ID");
    said.into_iter()
        .filter_map(|(name, value)| {
            let option = match name.as_str() {
                "aws_access_key_id" | "aws_secret_access_key" | "aws_session_token" if keyed => return None,
                "aws_access_key_id" | "aws_secret_access_key" | "aws_session_token" => name,
                "region" => "aws_region".into(),
                "endpoint_url" => "aws_endpoint_url".into(),
                _ => return None,
            };
            Some((option, value))
        })
        // `AWS_DEFAULT_REGION` counts as much as `AWS_REGION`, and both more than the profile.
        .filter(|(option, _)| option != "aws_region" || !environment.contains_key("AWS_DEFAULT_REGION"))
        .collect()
}

/// The settings of one section of an INI file. Indented lines belong to a nested setting and are passed over.
fn section(text: &str, wanted: &str) -> BTreeMap<String, String> {
    let (mut settings, mut inside) = (BTreeMap::new(), false);
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.split_whitespace().eq(wanted.split_whitespace());
        } else if inside
            && !line.starts_with([' ', '\t', '#', ';'])
            && let Some((name, value)) = trimmed.split_once('=')
        {
            settings.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_gives_keys_region_and_endpoint_and_the_environment_wins() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(folder.path().join(".aws")).expect("folder");
        std::fs::write(
            folder.path().join(".aws/credentials"),
            "[default]\naws_access_key_id = A\n\n[lab]\naws_access_key_id=B\naws_secret_access_key = C=\n",
        )
        .expect("written");
        std::fs::write(
            folder.path().join(".aws/config"),
            "[profile lab]\nregion = eu-west-3\nendpoint_url = http://lab:9000\ns3 =\n  addressing_style = path\n",
        )
        .expect("written");
        let mut environment = BTreeMap::from([
            ("HOME".to_owned(), folder.path().display().to_string()),
            ("AWS_PROFILE".to_owned(), "lab".to_owned()),
        ]);
        let said = options(&environment);
        let expected = [
            ("aws_access_key_id", "B"),
            ("aws_endpoint_url", "http://lab:9000"),
            ("aws_region", "eu-west-3"),
            ("aws_secret_access_key", "C="),
        ];
        assert_eq!(said.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect::<Vec<_>>(), expected);
        environment.insert("AWS_ACCESS_KEY_ID".into(), "D".into());
        environment.insert("AWS_DEFAULT_REGION".into(), "us-east-1".into());
        assert_eq!(options(&environment).into_keys().collect::<Vec<_>>(), ["aws_endpoint_url"]);
        assert_eq!(options(&BTreeMap::new()).len(), 0);
    }
}
