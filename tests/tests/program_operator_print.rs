//! What the program writes for others: completions for shells, the schema for editors, the unit for systemd.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sitebus_testkit::left_out;
use sitebus_tests::{Folder, own_program, program, run};

#[test]
fn each_shell_gets_completions_of_all_commands_under_the_name_of_the_program() {
    let folder = Folder::empty();
    for (program, name) in [(program!(), "sitebus"), (own_program!(), "own-program-under-test")] {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let printed = run(program, folder.path(), &["completions", shell]);
            assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""), "{shell}");
            for word in [name, "start", "reload", "no-wait", "systemd"] {
                assert!(printed.stdout.contains(word), "{shell} has no {word}");
            }
        }
    }
    let script = run(program!(), folder.path(), &["completions", "bash"]).stdout;
    folder.write("completions", script);
    // What bash offers after `sitebus rel`.
    let ask = "source ./completions && COMP_WORDS=(sitebus rel) COMP_CWORD=1 && _sitebus sitebus rel sitebus && echo \
               \"${COMPREPLY[@]}\"";
    let offered = Command::new("bash").args(["-c", ask]).current_dir(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&offered.stdout).trim(), "reload", "{offered:?}");
}

#[test]
fn the_schema_takes_every_site_file_of_ours_and_refuses_what_the_program_refuses() {
    let folder = Folder::empty();
    let printed = run(program!(), folder.path(), &["schema"]);
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let schema: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    run(program!(), folder.path(), &["init"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let in_readme = readme.split("```toml\n").find(|text| text.starts_with("[site]")).unwrap();
    let files = [
        folder.read("site.toml"),
        fs::read_to_string(root.join("examples/hello/site.toml")).unwrap(),
        in_readme.split("```").next().unwrap().to_owned(),
    ];
    for text in files {
        assert_eq!(wrong(&schema, &value(&text), ""), None::<String>, "{text}");
    }
    let route = "[[route]]\npath = '/'\nrespond = {}\n";
    for (text, place) in [
        (format!("[http]\nlisen = []\n{route}"), "http.lisen"),
        (format!("[htp]\n{route}"), "htp"),
        (format!("[http]\nlisten = 'a'\n{route}"), "http.listen"),
        (format!("[http]\nthreads = -1\n{route}"), "http.threads"),
        (format!("[log]\nformat = 'xml'\n{route}"), "log.format"),
        ("[[route]]\nrespond = {}\n".to_owned(), "route.path"),
        ("[[route]]\npath = '/'\nredirect = { status = 308 }\n".to_owned(), "route.redirect"),
        (String::new(), "route"),
    ] {
        assert_eq!(wrong(&schema, &value(&text), "").as_deref(), Some(place), "{text}");
        folder.write("wrong.toml", &text);
        assert_eq!(run(program!(), folder.path(), &["check", "wrong.toml"]).code, Some(2), "{text}");
    }
}

#[test]
fn the_schema_of_a_program_of_ones_own_offers_its_applications() {
    let folder = Folder::empty();
    let printed = run(own_program!(), folder.path(), &["schema"]);
    let schema: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(schema["properties"]["route"]["items"]["properties"]["app"]["enum"][0], "shop");
    assert_eq!(schema["title"], "the site file of own-program-under-test");
}

fn value(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

/// Where a value is not what the schema says: the part of JSON Schema (draft 7) that ours uses.
fn wrong(schema: &Value, value: &Value, at: &str) -> Option<String> {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().all(|schema| wrong(schema, value, at).is_some()).then(|| at.to_owned());
    }
    let is_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        _ => true,
    };
    let number = value.as_i64().unwrap_or_default();
    let in_bounds = schema["minimum"].as_i64().is_none_or(|least| number >= least)
        && schema["maximum"].as_i64().is_none_or(|most| number <= most);
    let is_choice = schema["enum"].as_array().is_none_or(|choices| choices.contains(value));
    if !is_type || !in_bounds || !is_choice {
        return Some(at.to_owned());
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.filter(|&key| value.get(key).is_none()).map(below).next() {
        return Some(missing);
    }
    let entries = value.as_array().into_iter().flatten();
    if let Some(place) = entries.filter_map(|entry| wrong(&schema["items"], entry, at)).next() {
        return Some(place);
    }
    let known = |key: &str| schema["properties"].get(key).or(schema.get("additionalProperties"));
    value.as_object().into_iter().flatten().find_map(|(key, value)| match known(key) {
        Some(Value::Bool(false)) => Some(below(key)),
        Some(schema) => wrong(schema, value, &below(key)),
        None => None,
    })
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit_of_any_site() {
    let is_there = Command::new("systemd-analyze").arg("--version").output().is_ok();
    if !is_there {
        return left_out("systemd-analyze is not installed");
    }
    for (name, arguments) in [
        ("plain", &[][..]),
        ("with spaces and 50% off", &[]),
        ("dollar$HOME and \"quotes\" and \\back", &["--set", "site.name=\"shop\""]),
        ("ümlaut's", &["--user", "daemon", "--set", r#"http.listen=["127.0.0.1:80"]"#]),
    ] {
        let folder = Folder::empty();
        for file in ["site.toml", "public/index.html"] {
            let small = Folder::small();
            folder.write(&format!("{name}/{file}"), small.read(file));
        }
        let file = folder.at(name).join("site.toml");
        let arguments: Vec<&str> =
            ["generate", "systemd", file.to_str().unwrap()].iter().chain(arguments).copied().collect();
        let unit = run(program!(), folder.path(), &arguments);
        assert_eq!((unit.code, unit.stderr.as_str()), (Some(0), ""), "{unit:?}");
        folder.write("site.service", &unit.stdout);
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(folder.at("site.service"))
            .output()
            .unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&verified.stdout),
            String::from_utf8_lossy(&verified.stderr)
        );
        assert_eq!((verified.status.code(), said.as_str()), (Some(0), ""), "{}", unit.stdout);
    }
}

#[test]
fn the_unit_says_what_is_right_for_the_site() {
    let folder = Folder::small();
    let unit = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["generate", "systemd"].iter().chain(arguments).copied().collect();
        let unit = run(program!(), folder.path(), &arguments);
        assert_eq!((unit.code, unit.stderr.as_str()), (Some(0), ""), "{unit:?}");
        unit.stdout.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    let (program, file) = (program!().display(), folder.at("site.toml"));
    let has = |unit: &[String], line: &str| unit.iter().any(|known| known == line);
    let plain = unit(&[]);
    for line in [
        "Type=notify",
        "NotifyAccess=main",
        "KillMode=mixed",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
        "ProtectSystem=full",
        "WantedBy=multi-user.target",
        &format!("WorkingDirectory={}", folder.path().display()),
        &format!("ExecStart={program} run {}", file.display()),
    ] {
        assert!(has(&plain, line), "{line}: {plain:#?}");
    }
    let reload = plain.iter().find(|line| line.starts_with("ExecReload=")).unwrap();
    assert!(reload.contains(" reload --timeout ") && !reload.contains("no-wait"), "{reload}");
    let seconds = |unit: &[String], key: &str| {
        let line = unit.iter().find_map(|line| line.strip_prefix(key)?.strip_suffix('s')).unwrap();
        line.parse::<u64>().unwrap()
    };
    assert!(seconds(&plain, "TimeoutStopSec=") > 60 + 20, "{plain:#?}");
    let patient = unit(&["--set", "http.drain_timeout=10m"]);
    assert!(seconds(&patient, "TimeoutStopSec=") > 20 * 60, "{patient:#?}");
    assert!(patient.iter().any(|line| line.contains("--set http.drain_timeout=10m")), "{patient:#?}");

    let other = unit(&["--user", "www-data", "--set", r#"http.listen=["127.0.0.1:80"]"#]);
    assert!(
        has(&other, "User=www-data") && has(&other, "AmbientCapabilities=CAP_NET_BIND_SERVICE"),
        "{other:#?}"
    );
    let handed = unit(&["--set", r#"http.listen=["systemd:shop.socket", "systemd:web"]"#]);
    assert!(has(&handed, "Sockets=shop.socket") && has(&handed, "Sockets=site.socket"), "{handed:#?}");
    let system = unit(&["--set", "site.state=/usr/local/state"]);
    assert!(!has(&system, "ProtectSystem=full"), "{system:#?}");
    folder.write("bad.toml", "[htp]\n");
    let refused = run(program!(), folder.path(), &["generate", "systemd", "bad.toml"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
}
