//! What hosts are reached with.

use std::fs;

use crate::other_places::write_secret;
use crate::search::Value;
use crate::world::{World, canary, texts};

/// Runs what looks at a configuration of hosts, none of which can be used.
fn look(world: &mut World, config: &str, words: &str) {
    fs::write(world.path("hosts.toml"), config).unwrap();
    let before = world.config.replace("hosts.toml");
    let (code, said) = world.run("config", "", &[]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = world.run("check", "", &[]);
    assert_ne!(code, 0, "{said}");
    assert!(said.contains(words), "{said}");
    world.config = before;
}

/// In a file for the server alone, with which a cluster is asked; and the same, open to all.
pub async fn token_of_a_cluster(world: &mut World) -> Vec<Value> {
    let canary = canary();
    let config = "[docker]\nenabled = false\n[[proxmox]]\nname = \"pve\"\n\
                  urls = [\"https://127.0.0.1:1\"]\ntoken_id = \"daas@pve!main\"\n\
                  token_secret_file = \"pve-token\"\nfingerprints = [\"FINGERPRINT\"]\n\
                  vmids = [5000, 5999]\nnetworks = [\"10.20.0.0/16\"]\n";
    let config = config.replace("FINGERPRINT", &"AB".repeat(32));
    let file = world.path("pve-token");
    write_secret(&file, canary.as_bytes(), 0o644);
    look(world, &config, "open to every user");
    write_secret(&file, canary.as_bytes(), 0o600);
    look(world, &config, "pve");
    texts([canary])
}

/// A private key that is none, which is told without it.
pub async fn key_for_an_engine(world: &mut World) -> Vec<Value> {
    let canary = canary();
    let certified = rcgen::generate_simple_self_signed(vec!["lab".to_owned()]).unwrap();
    fs::write(world.path("engine.pem"), certified.cert.pem()).unwrap();
    let config = "[docker]\nenabled = false\n[[docker.hosts]]\nname = \"lab\"\n\
                  endpoint = \"tcp://127.0.0.1:1\"\nca_file = \"engine.pem\"\n\
                  cert_file = \"engine.pem\"\nkey_file = \"engine.key\"\n";
    let broken = format!("-----BEGIN PRIVATE KEY-----\n{canary}!\n-----END PRIVATE KEY-----\n");
    write_secret(&world.path("engine.key"), broken.as_bytes(), 0o600);
    look(world, config, "engine.key");
    texts([canary])
}
