//! Coded symbols are what the golden file says, which a second implementation has made. In browsers and Node
//! too: their arithmetic is in floats, and each bit of it counts (F-80, F-123).

use isoroot::EntryId;
use isoroot::symbols::{Cell, Row, ShortId, Sketch};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const FINAL: &str = "peers fold ids into cells by themselves, and only the same cells cancel out: another row is \
    another version of the wire";

fn golden() -> Json {
    serde_json::from_str(include_str!("golden/symbols.json")).unwrap()
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn f80_ids_are_in_the_golden_cells() {
    for case in golden()["mapping"].as_array().unwrap() {
        let id = ShortId(u64::from_str_radix(case["short"].as_str().unwrap(), 16).unwrap());
        assert_eq!(format!("{:06x}", id.check()), case["check"].as_str().unwrap(), "{case}: {FINAL}");
        let cells: Vec<_> = id.cells().take_while(|cell| *cell < 16_384).collect();
        assert_eq!(Json::from(cells), case["cells"], "{}: {FINAL}", case["name"]);
    }
}

#[test]
fn f80_rows_and_sketches_are_golden() {
    for case in golden()["sets"].as_array().unwrap() {
        let number = |name: &str| u32::try_from(case[name].as_u64().unwrap()).unwrap();
        let id = |n: u32| EntryId::from_bytes(Sha256::digest(n.to_be_bytes()).into());
        let ids: Vec<_> = (number("from")..number("to")).map(id).collect();
        let row = Row::of(ids.iter().map(ShortId::of), 256);
        let bytes: Vec<_> = row.cells().iter().flat_map(|cell: &Cell| cell.to_bytes()).collect();
        assert_eq!(hex(bytes), case["row"].as_str().unwrap(), "{}: {FINAL}", case["name"]);
        assert_eq!(
            hex(Sketch::of(&ids).to_bytes()),
            case["sketch"].as_str().unwrap(),
            "{}: {FINAL}",
            case["name"]
        );
    }
}
