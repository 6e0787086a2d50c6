//! Clock and timers: never back, nothing left behind, long sleeps as long as asked (F-120).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use futures::poll;
use isoroot::Instant;
use isoroot::platform::web::{WebClock, WebTimer};
use isoroot::platform::{Clock, Timer};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::patch::{Patch, global};
use crate::timeouts::{Timeouts, turn};

/// A world in which timeouts fire at once and the clock jumps by what `passes` says of their delay.
struct FastForward {
    delays: Rc<RefCell<Vec<f64>>>,
    _patches: [Patch; 2],
}

impl FastForward {
    fn new(mut passes: impl FnMut(f64) -> f64 + 'static) -> Self {
        let (delays, ahead) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0.0)));
        let (recorded, moved) = (delays.clone(), ahead.clone());
        let timeouts = Patch::new(&js_sys::global(), "setTimeout", move |set_timeout, this, arguments| {
            let delay = arguments.get(1).as_f64().unwrap();
            recorded.borrow_mut().push(delay);
            moved.set(moved.get() + passes(delay));
            set_timeout.call2(this, &arguments.get(0), &0.into())
        });
        let now = Patch::new(&global("performance"), "now", move |now, this, _| {
            Ok((now.call0(this)?.as_f64().unwrap() + ahead.get()).into())
        });
        Self { delays, _patches: [timeouts, now] }
    }
}

#[wasm_bindgen_test]
async fn a10_the_clock_never_goes_back_and_goes_on_after_a_jump() {
    let mut latest = WebClock.monotonic();
    for _ in 0..10_000 {
        let now = WebClock.monotonic();
        assert!(now >= latest);
        latest = now;
    }
    let back = Patch::new(&global("performance"), "now", |now, this, _| {
        Ok((now.call0(this)?.as_f64().unwrap() - 3_600_000.0).into())
    });
    let during = WebClock.monotonic();
    assert!(during >= latest);
    WebTimer.sleep(Duration::from_millis(20)).await;
    assert!(WebClock.monotonic().since(during) >= Duration::from_millis(20), "it stands still");
    drop(back);
    assert!(WebClock.wall().as_micros() > 1_700_000_000_000_000);
}

#[wasm_bindgen_test]
async fn f120_a_sleep_is_as_long_as_asked() {
    for millis in [0, 1, 7, 30] {
        let (asked, begun) = (Duration::from_millis(millis), WebClock.monotonic());
        WebTimer.sleep(asked).await;
        let slept = WebClock.monotonic().since(begun);
        assert!(slept >= asked, "{slept:?} of {asked:?}");
    }
}

#[wasm_bindgen_test]
async fn f120_ten_thousand_dropped_sleeps_leave_no_timeout() {
    let timeouts = Timeouts::counted();
    let mut sleeps = Vec::new();
    for n in 0..10_000_u64 {
        let mut sleep = Box::pin(WebTimer.sleep(Duration::from_secs(1_000 + n)));
        assert!(poll!(&mut sleep).is_pending());
        // Some are dropped at once, some later all together.
        if n % 100 == 0 {
            sleeps.push(sleep);
        }
    }
    assert_eq!((timeouts.set(), timeouts.live()), (10_000, 100));
    drop(sleeps);
    assert_eq!(timeouts.live(), 0);
    // One that ended leaves nothing either, and one that was never waited for sets nothing.
    WebTimer.sleep(Duration::from_millis(1)).await;
    drop(WebTimer.sleep(Duration::from_secs(1)));
    assert_eq!(timeouts.live(), 0);
}

#[wasm_bindgen_test]
async fn f120_sleeps_beyond_the_longest_timeout_are_right() {
    const LONGEST: f64 = 2_147_483_647.0;
    let world = FastForward::new(|delay| delay);
    let begun = WebClock.monotonic();
    WebTimer.sleep(Duration::from_secs(60 * 86_400)).await;
    let slept = WebClock.monotonic().since(begun);
    let delays = world.delays.take();
    drop(world);
    assert_eq!(delays[..2], [LONGEST, LONGEST], "{delays:?}");
    assert_eq!(delays.len(), 3, "{delays:?}");
    let days = slept.as_secs_f64() / 86_400.0;
    assert!((60.0..60.001).contains(&days), "{days} days");
}

#[wasm_bindgen_test]
async fn f120_timeouts_that_fire_early_are_set_again() {
    // Half of each delay passes, of the short ones all.
    let world = FastForward::new(|delay| if delay > 2.0 { delay / 2.0 } else { delay });
    let begun = WebClock.monotonic();
    WebTimer.sleep(Duration::from_millis(1_000)).await;
    let slept = WebClock.monotonic().since(begun);
    assert!(world.delays.borrow().len() > 5);
    drop(world);
    assert!(slept >= Duration::from_millis(1_000), "{slept:?}");
}

#[wasm_bindgen_test]
async fn f120_a_sleep_to_the_end_of_time_sets_a_timeout_and_waits() {
    let timeouts = Timeouts::counted();
    let mut sleep = Box::pin(WebTimer.sleep(Duration::MAX));
    assert!(poll!(&mut sleep).is_pending());
    turn().await;
    assert!(poll!(&mut sleep).is_pending());
    assert_eq!(timeouts.live(), 1);
    drop(sleep);
    assert_eq!(timeouts.live(), 0);
    assert!(WebClock.monotonic() < Instant::from_micros(u64::MAX));
}
