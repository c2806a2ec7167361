//! The commands in README.md and docs/operating.md, run as a reader would: each command of these sections in a shell,
//! in an empty directory, with the answers of earlier commands in place of the dots.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::harness::{Keyway, Services, process};

/// Keys and ids that the documents show in part, and the fields that have them whole.
const DOTS: &[(&str, &str)] = &[("key", "kw_live_"), ("id", "tnt_")];

/// A reader at a terminal.
struct Reader {
    directory: PathBuf,
    settings: Vec<(String, String)>,
    /// Functions and variables for the next commands.
    known: String,
    /// Replacements for texts in the document.
    instead: BTreeMap<String, String>,
}

// Commands block their thread while the simulator answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_documents_say_to_type_works_in_an_empty_directory() -> Result<()> {
    let mut keyway = Keyway::on(Services::Embedded).await?;
    // Both are the simulator, for a key that brings no base URL of its own, too.
    let models = fs::read_to_string(root().join("models.yaml"))?;
    let models = models.replace("https://api.openai.com/v1", &keyway.simulator.base_url);
    let models = models.replace("https://api.anthropic.com", &format!("http://{}", keyway.simulator.host()));
    let file = keyway.dir.join("models.yaml");
    fs::write(&file, models)?;
    keyway.set("KEYWAY_MODELS_FILE", &file.display().to_string());
    keyway.start("serve").await?;
    let mut reader = Reader::new(&keyway)?;
    let said = reader.follow("README.md", "## Run it")?;
    for wanted in ["\"operation\":", "\"items\":", "would be imported", "imported as int_", "\"key\":\"kw_live_"] {
        ensure!(said.contains(wanted), "README.md: {wanted} is nowhere in {said}");
    }
    let said = reader.follow("docs/operating.md", "## Tenants")?;
    ensure!(
        said.contains("\"name\":\"acme\"") && said.contains("{\"items\":[]") && said.contains("imported as int_"),
        "{said}"
    );
    let said = reader.follow("docs/operating.md", "## A model of your own: Ollama, vLLM")?;
    ensure!(said.contains("\"name\":\"ollama\"") && said.contains("\"choices\":"), "{said}");
    keyway.finish().await
}

impl Reader {
    fn new(keyway: &Keyway) -> Result<Self> {
        let directory = keyway.dir.join("reader");
        fs::create_dir_all(&directory)?;
        let api = keyway.api()?;
        let instead = [
            ("http://127.0.0.1:8080", api.root()),
            ("http://127.0.0.1:11434/v1", keyway.simulator.base_url.as_str()),
            ("kw_admin_...", keyway.admin_key.as_str()),
            ("sk-...", "sk-sim-good-readme"),
            ("sk-ant-...", "sk-ant-sim-good-readme"),
            ("ollama-takes-any-key", "sk-sim-good-ollama"),
            ("target/release/keyway", "keyway"),
        ];
        let instead = instead.map(|(shown, typed)| (shown.to_owned(), typed.to_owned())).into();
        let program = process::program().parent().context("the binary is in a directory")?.display().to_string();
        let mut settings = keyway.with(&keyway.members()[0].settings);
        settings.push(("PATH".to_owned(), format!("{program}:/usr/local/bin:/usr/bin:/bin")));
        Ok(Self { directory, settings, known: String::new(), instead })
    }

    /// Types every command of a section that is not about starting Keyway, and returns what was answered.
    fn follow(&mut self, document: &str, section: &str) -> Result<String> {
        let text = fs::read_to_string(root().join(document))?;
        let section = text.split_once(&format!("{section}\n")).with_context(|| format!("{document}: {section}"))?.1;
        let section = section.split("\n## ").next().unwrap_or_default();
        let code: Vec<_> = section.lines().filter_map(|line| line.strip_prefix("    ")).collect();
        let code = code.join("\n").replace("\\\n", " ");
        let commands = code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let starts = |line: &&str| line.starts_with("make ") || line.ends_with("keyway serve");
        let commands: Vec<_> = commands.filter(|line| !starts(line)).collect();
        ensure!(commands.len() >= 3, "{document}: {commands:?}");
        let mut said = String::new();
        for command in commands {
            said += &self.type_in(command).with_context(|| format!("{document}: {command}"))?;
        }
        Ok(said)
    }

    fn type_in(&mut self, shown: &str) -> Result<String> {
        let mut command = shown.to_owned();
        for (shown, typed) in &self.instead {
            command = command.replace(shown, typed);
        }
        if command.starts_with("export ") || command.contains("() {") {
            self.known += &format!("{command}\n");
        }
        let script = format!("set -euo pipefail\n{}{command}\n", self.known);
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).current_dir(&self.directory).env_clear().envs(self.settings.iter().cloned());
        let output = shell.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && !said.contains("\"error\":{"), "{said}{error}");
        for (field, begin) in DOTS {
            if let Some((_, rest)) = said.split_once(&format!("\"{field}\":\"{begin}")) {
                let whole = format!("{begin}{}", rest.split('"').next().unwrap_or_default());
                self.instead.insert(format!("{begin}..."), whole);
            }
        }
        Ok(said)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
