//! What can be set, where, and how a wrong setting is refused.

use std::fs;

use super::command::{Said, rookery};
use crate::support::token::SECRET;

const POSTGRES: &str = "postgres://ann:hunter2@127.0.0.1:1/chat";

fn in_empty_folder(arguments: &[&str], environment: &[(&str, &str)]) -> Said {
    rookery(tempfile::tempdir().unwrap().path(), arguments, environment)
}

fn effective(arguments: &[&str], environment: &[(&str, &str)]) -> toml::Table {
    let said = in_empty_folder(&[&["config"], arguments].concat(), environment);
    assert_eq!(said.code, 0, "{}", said.err);
    said.out.parse().expect("the effective settings are TOML")
}

#[test]
fn every_key_of_the_contract_is_there_with_its_default() {
    let settings = effective(&[], &[]);
    for (key, default) in [
        ("server.listen", "127.0.0.1:3000".into()),
        ("server.admin_listen", "127.0.0.1:9090".into()),
        ("server.advertise", "127.0.0.1:3000".into()),
        ("store.url", "sqlite://data/rookery.db".into()),
        ("store.migrate", true.into()),
        ("bus.url", "memory:".into()),
        ("auth.allow_query_user", false.into()),
        ("auth.leeway_ms", toml::Value::Integer(0)),
        ("auth.expiring_before_ms", toml::Value::Integer(60_000)),
        ("gateway.dialect", "native".into()),
        ("gateway.ping_interval_ms", toml::Value::Integer(25_000)),
        ("gateway.ping_timeout_ms", toml::Value::Integer(20_000)),
        ("gateway.connect_timeout_ms", toml::Value::Integer(10_000)),
        ("gateway.cors_origins", toml::Value::Array(Vec::new())),
        ("limits.enabled", true.into()),
        ("limits.messages_per_10s", toml::Value::Integer(50)),
        ("limits.commands_per_10s", toml::Value::Integer(200)),
        ("limits.frames_per_s", toml::Value::Integer(100)),
        ("limits.sessions_per_user", toml::Value::Integer(50)),
        ("limits.message_bytes", toml::Value::Integer(65_536)),
        ("limits.frame_bytes", toml::Value::Integer(1_048_576)),
        ("limits.attachment_bytes", toml::Value::Integer(26_214_400)),
    ] {
        assert_eq!(*value(&settings, key), default, "{key}");
    }
}

fn value<'a>(settings: &'a toml::Table, key: &str) -> &'a toml::Value {
    let (section, name) = key.split_once('.').unwrap();
    settings.get(section).and_then(|section| section.get(name)).unwrap_or_else(|| panic!("{key} is not shown"))
}

#[test]
fn flags_go_over_the_environment_over_the_file_over_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    fs::write(&file, "[limits]\nmessages_per_10s = 1\ncommands_per_10s = 1\nframes_per_s = 1\n").unwrap();
    let file = file.to_str().unwrap();
    let environment = [("ROOKERY__LIMITS__COMMANDS_PER_10S", "2"), ("ROOKERY__LIMITS__FRAMES_PER_S", "2")];
    let settings = effective(&["--config", file, "--set", "limits.frames_per_s=3"], &environment);
    let limit = |name: &str| settings["limits"][name].as_integer().unwrap();
    let names = ["messages_per_10s", "commands_per_10s", "frames_per_s", "sessions_per_user"];
    assert_eq!(names.map(limit), [1, 2, 3, 50]);
}

#[test]
fn lists_are_comma_separated_in_the_environment() {
    let environment = [
        ("ROOKERY__GATEWAY__CORS_ORIGINS", "https://a.example, https://b.example:8443"),
        ("ROOKERY__AUTH__USER_CLAIM", "uid"),
        ("ROOKERY__AUTH__EXTRA_TOKEN_PLACES", "query:token,cookie:accessToken,header:X-Auth-Token"),
        ("ROOKERY__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,192.168.1.7"),
    ];
    let settings = effective(&[], &environment);
    let list = |key| -> Vec<&str> {
        value(&settings, key).as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
    };
    assert_eq!(list("gateway.cors_origins"), ["https://a.example", "https://b.example:8443"]);
    assert_eq!(list("auth.user_claim"), ["uid"]);
    assert_eq!(list("auth.extra_token_places"), ["query:token", "cookie:accessToken", "header:x-auth-token"]);
    assert_eq!(list("server.trusted_proxies"), ["10.0.0.0/8", "192.168.1.7/32"]);
}

#[test]
fn the_names_of_other_programs_are_understood_and_ours_win() {
    let secret = ("ROOKERY__AUTH__HS256_SECRET", SECRET);
    let borrowed = [("DATABASE_URL", POSTGRES), ("REDIS_URL", "redis://cache"), ("RUST_LOG", "debug"), secret];
    let settings = effective(&[], &borrowed);
    assert_eq!(value(&settings, "store.url").as_str(), Some("postgres://ann:********@127.0.0.1:1/chat"));
    assert_eq!(value(&settings, "bus.url").as_str(), Some("redis://cache"));
    assert_eq!(value(&settings, "log.level").as_str(), Some("debug"));
    let ours = [borrowed.as_slice(), &[("ROOKERY__BUS__URL", "redis://other")]].concat();
    assert_eq!(value(&effective(&[], &ours), "bus.url").as_str(), Some("redis://other"));
}

#[test]
fn secrets_are_masked_wherever_settings_are_shown() {
    let environment = [
        ("ROOKERY__AUTH__HS256_SECRET", "hunter2-hunter2-hunter2-hunter2-hunter2"),
        ("ROOKERY__SERVER__CLUSTER_SECRET", "hunter2-hunter2-hunter2-hunter2-cluster"),
        ("ROOKERY__AUTH__SERVICE_KEYS", "hunter2-one,hunter2-two"),
        ("ROOKERY__STORE__URL", POSTGRES),
        ("ROOKERY__BUS__URL", "redis://ann:hunter2@cache"),
    ];
    let said = in_empty_folder(&["config"], &environment);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!said.out.contains("hunter2") && !said.err.contains("hunter2"), "{}", said.out);
    assert!(said.out.contains("********"));
    // What is printed cannot be mistaken for settings: a mask is no secret.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("printed.toml"), said.out).unwrap();
    let again = rookery(folder.path(), &["config", "--config", "printed.toml"], &[]);
    assert_eq!(again.code, 2);
    assert!(again.line().contains("mask"), "{}", again.err);
}

#[test]
fn a_wrong_setting_is_one_line_that_names_the_key_and_never_the_value() {
    let secret = ("ROOKERY__AUTH__HS256_SECRET", SECRET);
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("server.listenn", &[("ROOKERY__SERVER__LISTENN", "hunter2")]),
        ("server", &[("ROOKERY__SERVER", "hunter2")]),
        ("servers.listen", &[("ROOKERY__SERVERS__LISTEN", "hunter2")]),
        ("server.listen", &[("ROOKERY__SERVER__LISTEN", "hunter2")]),
        ("server.admin_listen", &[("ROOKERY__SERVER__ADMIN_LISTEN", "127.0.0.1:3000")]),
        ("server.advertise", &[("ROOKERY__SERVER__ADVERTISE", "0.0.0.0:3000")]),
        ("server.trusted_proxies", &[("ROOKERY__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,hunter2")]),
        ("server.cluster_secret", &[("ROOKERY__SERVER__CLUSTER_SECRET", "hunter2")]),
        ("server.shutdown_ms", &[("ROOKERY__SERVER__SHUTDOWN_MS", "4999")]),
        ("server.node_id", &[("ROOKERY__SERVER__NODE_ID", "hunter2 and more")]),
        ("bus.prefix", &[("ROOKERY__BUS__PREFIX", "hunter2 and more")]),
        ("store.url", &[("ROOKERY__STORE__URL", "mysql://ann:hunter2@db/chat")]),
        ("store.migrate", &[("ROOKERY__STORE__MIGRATE", "hunter2")]),
        ("bus.url", &[("REDIS_URL", "amqp://ann:hunter2@cache")]),
        ("auth.hs256_secret", &[("DATABASE_URL", POSTGRES)]),
        ("auth.hs256_secret", &[("DATABASE_URL", POSTGRES), ("ROOKERY__AUTH__HS256_SECRET", "hunter2")]),
        (
            "auth.hs256_secret",
            &[("ROOKERY__SERVER__LISTEN", "0.0.0.0:3000"), ("ROOKERY__AUTH__HS256_SECRET", "hunter2")],
        ),
        ("server.advertise", &[("DATABASE_URL", POSTGRES), ("ROOKERY__SERVER__LISTEN", "0.0.0.0:3000"), secret]),
        ("server.advertise", &[("DATABASE_URL", POSTGRES), ("ROOKERY__SERVER__LISTEN", "[::]:3000"), secret]),
        ("auth.user_claim", &[("ROOKERY__AUTH__USER_CLAIM", "")]),
        ("auth.extra_token_places", &[("ROOKERY__AUTH__EXTRA_TOKEN_PLACES", "hunter2:token")]),
        ("auth.leeway_ms", &[("ROOKERY__AUTH__LEEWAY_MS", "-1")]),
        (
            "auth.allow_query_user",
            &[("ROOKERY__AUTH__ALLOW_QUERY_USER", "true"), ("ROOKERY__SERVER__LISTEN", "0.0.0.0:3000")],
        ),
        ("gateway.dialect", &[("ROOKERY__GATEWAY__DIALECT", "hunter2")]),
        ("gateway.ping_interval_ms", &[("ROOKERY__GATEWAY__PING_INTERVAL_MS", "0")]),
        ("gateway.cors_origins", &[("ROOKERY__GATEWAY__CORS_ORIGINS", "*")]),
        ("limits.message_bytes", &[("ROOKERY__LIMITS__MESSAGE_BYTES", "many")]),
        ("limits.message_bytes", &[("ROOKERY__LIMITS__MESSAGE_BYTES", "1.5")]),
        ("limits.message_bytes", &[("ROOKERY__LIMITS__MESSAGE_BYTES", "1048577")]),
        ("limits.frame_bytes", &[("ROOKERY__LIMITS__FRAME_BYTES", "99999999999")]),
        ("limits.enabled", &[("ROOKERY__LIMITS__ENABLED", "1")]),
        ("log.format", &[("ROOKERY__LOG__FORMAT", "hunter2")]),
        ("log.level", &[("RUST_LOG", "hunter2=hunter2")]),
    ];
    for (key, environment) in cases {
        let said = in_empty_folder(&["serve"], environment);
        assert_eq!(said.code, 2, "{environment:?}: {}", said.err);
        let line = said.line();
        assert!(line.starts_with(&format!("rookery: {key}: ")), "{environment:?}: {line}");
        assert!(!line.contains("hunter2"), "{environment:?}: {line}");
    }
}

#[test]
fn a_wrong_file_is_one_line_that_names_the_key_or_the_place() {
    let folder = tempfile::tempdir().unwrap();
    for (text, named) in [
        ("[server]\nlisten = 3000", "server.listen: expected a text (in a.toml)"),
        ("[limits]\nmessage_bytes = \"7\"", "limits.message_bytes: expected a whole number (in a.toml)"),
        ("[limits]\nenabled = 1", "limits.enabled: expected true or false (in a.toml)"),
        ("[auth]\nuser_claim = [1]", "auth.user_claim: expected a list of texts (in a.toml)"),
        ("[auth.hs256_secret]\nx = \"hunter2\"", "auth.hs256_secret.x: there is no such setting (in a.toml)"),
        ("[secrets]\nx = \"hunter2\"", "secrets.x: there is no such setting (in a.toml)"),
        ("[auth]\nhs256_secret = \"hunter2", "a.toml: line 2"),
    ] {
        fs::write(folder.path().join("a.toml"), text).unwrap();
        let said = rookery(folder.path(), &["serve", "--config", "a.toml"], &[]);
        assert_eq!(said.code, 2, "{text}: {}", said.err);
        let line = said.line();
        assert!(line.starts_with(&format!("rookery: {named}")) && !line.contains("hunter2"), "{text}: {line}");
    }
    let said = rookery(folder.path(), &["--config", "missing.toml"], &[]);
    assert_eq!(said.code, 2);
    assert!(said.line().starts_with("rookery: missing.toml: "), "{}", said.err);
}

#[test]
fn the_file_for_production_needs_only_what_it_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/production.toml");
    let environment = [
        ("DATABASE_URL", POSTGRES),
        ("ROOKERY__AUTH__HS256_SECRET", SECRET),
        ("ROOKERY__SERVER__ADVERTISE", "10.0.0.7:3000"),
    ];
    let settings = effective(&["--config", file], &environment);
    assert_eq!(value(&settings, "log.format").as_str(), Some("json"));
    let forgotten = in_empty_folder(&["config", "--config", file], &environment[..2]);
    assert!(forgotten.line().starts_with("rookery: server.advertise: "), "{}", forgotten.err);
}
