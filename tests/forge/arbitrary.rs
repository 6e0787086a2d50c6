//! Random values, facts and entries for property tests, with the edges of each range among them.

use isoroot::{AuthorityId, EntryId, Fact, Value};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

/// Largest integer that is the same number as a float.
pub const SAFE: i64 = (1 << 53) - 1;

/// Integers of 64 bits: any, and those around a change of length or meaning.
pub fn integer() -> impl Strategy<Value = i64> {
    let edges: Vec<i64> = [0, 23, 24, 255, 256, 65_535, 65_536, u32::MAX.into(), 1 << 32, SAFE, SAFE + 1]
        .into_iter()
        .chain([i64::MAX])
        .flat_map(|edge| [edge, !edge])
        .collect();
    prop_oneof![any::<i64>(), -300..300i64, prop::sample::select(edges)]
}

/// Doubles of every class, those that fit a single or a half, and integral ones.
pub fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        prop::num::f64::ANY,
        prop::num::f32::ANY.prop_map(f64::from),
        (-4_096..4_096i32).prop_map(|sixteenths| f64::from(sixteenths) / 16.0),
        integer().prop_map(|value| value as f64),
        prop::sample::select(vec![
            0.0,
            -0.0,
            f64::NAN,
            -f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            65_504.0,
            65_504.5,
            5.960_464_477_539_063e-8,
            f64::MIN_POSITIVE,
            9_007_199_254_740_992.0,
            -9_007_199_254_740_992.0,
        ]),
    ]
}

/// Values up to a depth of five; hand-built ones too, whose floats may be integral.
pub fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        integer().prop_map(Value::Integer),
        float().prop_map(Value::Float),
        any::<String>().prop_map(Value::Text),
        vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
    ];
    scalar.prop_recursive(5, 40, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..8).prop_map(Value::List),
            // Short keys of few letters: their order by length differs from that of the alphabet.
            btree_map("[a-cé]{0,3}", inner, 0..8).prop_map(Value::Map),
        ]
    })
}

/// Values of very few kinds, so that two drawn at random are often equal or nearly so.
pub fn small_value() -> impl Strategy<Value = Value> {
    let scalar = prop::sample::select(vec![
        Value::Null,
        Value::Bool(false),
        Value::Integer(0),
        Value::Integer(1),
        Value::Float(-0.0),
        Value::Float(1.0),
        Value::Float(1.5),
        Value::Float(f64::NAN),
        Value::Float(-f64::NAN),
        Value::Integer(SAFE + 1),
        Value::Float((SAFE + 1) as f64),
        Value::Text(String::new()),
        Value::Text("1".into()),
        Value::Bytes(Vec::new()),
        Value::Bytes(b"1".to_vec()),
    ]);
    scalar.prop_recursive(2, 4, 2, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..2).prop_map(Value::List),
            btree_map("[ab]", inner, 0..2).prop_map(Value::Map),
        ]
    })
}

/// A predicate of 1 to 256 bytes.
pub fn predicate() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z/]{1,30}",
        any::<String>().prop_filter("1 to 256 bytes", |text| (1..=256).contains(&text.len())),
        (23..=25usize).prop_map(|len| "x".repeat(len)),
        (254..=256usize).prop_map(|len| "x".repeat(len)),
    ]
}

/// A fact of any value, with and without authority and timestamp.
pub fn fact() -> impl Strategy<Value = Fact> {
    fact_of(predicate(), value())
}

/// A fact of a predicate and a value.
pub fn fact_of(
    predicate: impl Strategy<Value = String>,
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Fact> {
    let authority = proptest::option::of((0..3u8).prop_map(|byte| AuthorityId::from_bytes([byte; 32])));
    let timestamp = proptest::option::of(prop_oneof![-SAFE..=SAFE, 0..3i64, Just(SAFE), Just(-SAFE)]);
    (predicate, value, authority, timestamp).prop_map(|(predicate, value, authority, timestamp)| Fact {
        predicate,
        value,
        authority,
        timestamp,
    })
}

/// Up to eight predecessors, ascending.
pub fn after() -> impl Strategy<Value = Vec<EntryId>> {
    btree_set(any::<[u8; 32]>().prop_map(EntryId::from_bytes), 0..=8)
        .prop_map(|ids| ids.into_iter().collect())
}
