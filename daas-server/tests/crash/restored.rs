//! A database of yesterday: desktops that were launched since have no rows.

use std::collections::HashSet;
use std::fs;

use crate::api::{Api, Row};
use crate::installation::{Installation, SETTLES, prepared};

#[test]
fn desktops_without_rows_are_adopted() {
    let _turn = crate::turn();
    if !prepared() {
        return;
    }
    let mut installation = Installation::new("restored", "10.232.0.0/16", None);
    let config = installation.path("daas.toml");
    let with_adoption = fs::read_to_string(&config).unwrap() + "orphans = \"adopt\"\n";
    fs::write(&config, with_adoption).unwrap();
    let api = Api::log_in(installation.start()).unwrap();
    let app = api.app().unwrap();
    let launched: Vec<String> = (0..3)
        .map(|_| Row::new(&api.launch(&app).unwrap().1).id)
        .collect();
    installation.settle(&api, SETTLES);
    for (id, action) in launched.iter().zip(["stop", "suspend"]) {
        assert_eq!(api.act(id, action).unwrap().0, 202);
    }
    let (before, _) = installation.settle(&api, SETTLES);
    installation.kill();
    let database = installation.database();
    database
        .execute_batch("DELETE FROM transitions; DELETE FROM tickets; DELETE FROM instances")
        .unwrap();

    let api = Api::log_in(installation.start()).unwrap();
    let (after, took) = installation.settle(&api, SETTLES);
    let sorted = |rows: Vec<Row>| {
        let states = rows.into_iter().map(|row| (row.id, row.state));
        states.collect::<HashSet<_>>()
    };
    assert_eq!(sorted(after), sorted(before), "{}", installation.log());
    println!("adopted after {took:?}");
    let noted = "SELECT count(*) FROM audit WHERE action = 'instance.adopt'";
    let noted: u32 = database.query_row(noted, [], |row| row.get(0)).unwrap();
    assert_eq!(noted, 3);
    installation.delete_all(&api);
    installation.kill();
    installation.check_database();
}
