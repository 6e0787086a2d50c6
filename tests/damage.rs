//! The command line tool on damaged stores: `check` and `salvage`.

#![cfg(not(target_arch = "wasm32"))]

mod tool;

use redb::{Database, ReadableTable, TableDefinition};
use serde_json::json;
use tool::Folder;

const JOURNALS: TableDefinition<'static, &[u8; 32], (u32, u64)> = TableDefinition::new("journals");
const ENTRIES: TableDefinition<'static, (u32, u64), &[u8]> = TableDefinition::new("entries");

/// A store with a journal of 30 entries, an entry for each fact. The journal's id.
async fn filled(folder: &Folder) -> String {
    let link = folder.init("a.redb").await;
    let lines: String = (0..30).map(|n| format!("{{\"predicate\":\"p/{n}\",\"value\":{n}}}\n")).collect();
    let file = folder.write("facts.jsonl", lines);
    let import = ["import", file.to_str().unwrap(), "--store", "a.redb", "--batch", "1"];
    folder.run(&import).await.done();
    link.strip_prefix("isoroot:").unwrap().to_owned()
}

/// Flips a bit of an entry's record behind the store's back.
fn flip(folder: &Folder, number: u64) {
    let database = Database::open(folder.path("a.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut entries = transaction.open_table(ENTRIES).unwrap();
        let mut row = entries.get((1, number)).unwrap().unwrap().value().to_vec();
        *row.last_mut().unwrap() ^= 1;
        entries.insert((1, number), row.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn c11_check_says_whether_a_store_is_sound_and_changes_nothing() {
    let folder = Folder::new();
    folder.run(&["check", "--store", "none.redb"]).await.exits(3).says("no journal");
    let journal = filled(&folder).await;
    let root = folder.root("a.redb").await;
    let sound = folder.run(&["check", "--store", "a.redb", "--json"]).await.done().objects();
    assert_eq!(
        sound[0],
        json!({"event": "journal", "journal": journal, "entries": 30, "sound": 30, "root": root["root"],
            "checkpoint": null, "problems": [], "unlisted": 0})
    );
    assert_eq!(sound[1], json!({"event": "store", "store": "a.redb", "sound": true, "problems": []}));
    let text = folder.run(&["check", "--store", "a.redb"]).await.done().stdout;
    assert!(text.contains("30 entries, sound, root") && text.ends_with("sound\n"), "{text}");

    flip(&folder, 7);
    let before = std::fs::read(folder.path("a.redb")).unwrap();
    let damaged = folder.run(&["check", "--store", "a.redb", "--json"]).await.exits(1).objects();
    assert_eq!((&damaged[0]["entries"], &damaged[0]["sound"]), (&json!(30), &json!(29)));
    let problem = damaged[0]["problems"][0].as_str().unwrap();
    assert!(problem.contains("entry 7 is not what was stored"), "{problem}");
    assert_eq!(damaged[1]["sound"], false);
    let text = folder.run(&["check", "--store", "a.redb"]).await.exits(1).stdout;
    assert!(text.contains("30 entries, of which 29 sound") && text.contains("salvage"), "{text}");
    assert!(std::fs::read(folder.path("a.redb")).unwrap() == before);

    folder.write("b.redb", vec![0; 10_000]);
    folder.run(&["check", "--store", "b.redb"]).await.exits(3);
}

#[tokio::test]
async fn c11_salvage_writes_what_is_sound_into_a_new_store() {
    let folder = Folder::new();
    let journal = filled(&folder).await;
    flip(&folder, 7);
    flip(&folder, 30);
    let before = std::fs::read(folder.path("a.redb")).unwrap();
    let salvage = ["salvage", "a.redb", "--to", "new.redb", "--json"];
    let saved = folder.run(&salvage).await.exits(1).objects();
    assert_eq!(
        (&saved[0]["journal"], &saved[0]["saved"], &saved[0]["lost"]),
        (&json!(journal), &json!(28), &json!(2))
    );
    assert_eq!(saved[1]["whole"], false);
    assert!(std::fs::read(folder.path("a.redb")).unwrap() == before, "the old one stays as it is");
    folder.run(&salvage).await.exits(2).says("there already");
    let checked = folder.run(&["check", "--store", "new.redb", "--json"]).await.done().objects();
    assert_eq!((&checked[0]["sound"], &checked[0]["root"]), (&json!(28), &saved[0]["root"]));
    // It is the same device's, and goes on.
    let log = folder.run(&["log", "--store", "new.redb", "--json"]).await.done().objects();
    assert_eq!(log.len(), 28);
    folder.run(&["append", "p/new", "1", "--store", "new.redb"]).await.done();
    let more = folder.run(&["log", "--store", "new.redb", "--json"]).await.done().objects();
    assert_eq!(more[28]["device"], log[0]["device"]);

    // A sound one is copied whole.
    let saved = folder.run(&["salvage", "new.redb", "--to", "again.redb", "--json"]).await.done().objects();
    assert_eq!((&saved[0]["lost"], &saved[1]["whole"]), (&json!(0), &json!(true)));
    assert_eq!(folder.root("again.redb").await["root"], folder.root("new.redb").await["root"]);
}

/// Flips a bit of the journal's id wherever the file has it as a key.
fn flip_id(folder: &Folder, journal: &str) {
    let id: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&journal[2 * at..2 * at + 2], 16).unwrap()).collect();
    let mut bytes = std::fs::read(folder.path("a.redb")).unwrap();
    let places: Vec<_> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(&id)).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|place| bytes[place + 5] ^= 4);
    std::fs::write(folder.path("a.redb"), bytes).unwrap();
}

/// Takes the journal out of the list of journals.
fn unlist(folder: &Folder, _: &str) {
    let database = Database::open(folder.path("a.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(JOURNALS).unwrap().retain(|_, _| false).unwrap();
    transaction.commit().unwrap();
}

/// Says of the journal that it has many more entries.
fn lift_head(folder: &Folder, _: &str) {
    let database = Database::open(folder.path("a.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut journals = transaction.open_table(JOURNALS).unwrap();
        let id = *journals.iter().unwrap().next().unwrap().unwrap().0.value();
        journals.insert(&id, (1, 1 << 60)).unwrap();
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn c11_the_entries_of_a_journal_whose_id_is_damaged_are_found_and_saved() {
    type Damage = fn(&Folder, &str);
    let damages: [(Damage, &str, u64); 3] = [
        (flip_id, "are listed under", 0),
        (unlist, "journal number 1", 0),
        (lift_head, "its last entry 30", 4_096),
    ];
    for (damage, says, lost) in damages {
        let folder = Folder::new();
        let journal = filled(&folder).await;
        let root = folder.root("a.redb").await["root"].clone();
        damage(&folder, &journal);
        let before = std::fs::read(folder.path("a.redb")).unwrap();
        folder.run(&["log", "--store", "a.redb"]).await.exits(3).says("damaged");
        let checked = folder.run(&["check", "--store", "a.redb", "--json"]).await.exits(1).objects();
        assert_eq!(checked.len(), 2, "{checked:?}");
        assert_eq!(
            (&checked[0]["journal"], &checked[0]["sound"]),
            (&json!(journal), &json!(30)),
            "{checked:?}"
        );
        assert_eq!((&checked[0]["root"], &checked[1]["sound"]), (&root, &json!(false)));
        assert!(checked[1]["problems"].to_string().contains(says), "{says}: {checked:?}");

        let salvage = ["salvage", "a.redb", "--to", "new.redb", "--json"];
        let saved = folder.run(&salvage).await.exits(1).objects();
        assert_eq!(saved.len(), 2, "{saved:?}");
        assert_eq!((&saved[0]["saved"], &saved[0]["lost"]), (&json!(30), &json!(lost)), "{saved:?}");
        assert_eq!(saved[1]["whole"], false, "nobody knows what else there was");
        assert!(std::fs::read(folder.path("a.redb")).unwrap() == before, "the old one stays as it is");
        folder.run(&["check", "--store", "new.redb"]).await.done();
        assert_eq!(folder.root("new.redb").await["root"], root);
        assert_eq!(folder.root("new.redb").await["journal"], journal);
    }
}
