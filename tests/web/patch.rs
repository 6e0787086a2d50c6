//! Functions of JavaScript objects, replaced for a while.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

/// What stands in for a function: called with the function that it replaces, `this` and the arguments.
type Substitute = dyn FnMut(JsValue, JsValue, Array) -> Result<JsValue, JsValue>;

/// A replaced method; dropping it puts the original back.
pub struct Patch {
    target: JsValue,
    name: JsValue,
    own: Option<JsValue>,
    _substitute: Closure<Substitute>,
}

impl Patch {
    /// Replaces a method of `target` by `substitute`, which is given the original, `this`, and the arguments.
    pub fn new(
        target: &JsValue,
        name: &str,
        mut substitute: impl FnMut(&Function, &JsValue, &Array) -> Result<JsValue, JsValue> + 'static,
    ) -> Self {
        let name = JsValue::from_str(name);
        let original = Reflect::get(target, &name).unwrap();
        let own = Object::has_own(target.unchecked_ref::<Object>(), &name).then(|| original.clone());
        let substitute = Closure::<Substitute>::new(move |original: JsValue, this, arguments| {
            substitute(original.unchecked_ref(), &this, &arguments)
        });
        let wrap = Function::new_with_args(
            "substitute, original",
            "return function (...args) { return substitute(original, this, args); }",
        );
        let patched = wrap.call2(&JsValue::NULL, substitute.as_ref(), &original).unwrap();
        assert!(Reflect::set(target, &name, &patched).unwrap());
        Self { target: target.clone(), name, own, _substitute: substitute }
    }

    /// Replaces a method of the prototype of a class.
    pub fn of_class(
        class: &str,
        name: &str,
        substitute: impl FnMut(&Function, &JsValue, &Array) -> Result<JsValue, JsValue> + 'static,
    ) -> Self {
        Self::new(&get(&global(class), "prototype"), name, substitute)
    }
}

impl Drop for Patch {
    fn drop(&mut self) {
        match &self.own {
            Some(original) => Reflect::set(&self.target, &self.name, original).unwrap(),
            None => Reflect::delete_property(self.target.unchecked_ref::<Object>(), &self.name).unwrap(),
        };
    }
}

pub fn global(name: &str) -> JsValue {
    get(&js_sys::global(), name)
}

pub fn get(target: &JsValue, name: &str) -> JsValue {
    Reflect::get(target, &JsValue::from_str(name)).unwrap()
}
