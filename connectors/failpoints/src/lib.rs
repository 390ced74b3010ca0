//! Places in the code where tests cut the process short.
//!
//! `fail_point!("sink::named")` stands after a step that must survive a kill. A test calls [`cfg_callback`] with that name, in a
//! process of its own, since failpoints are set for the whole process. Without the feature `failpoints` the macro is empty and there is
//! nothing to set.
//!
//! The interface is the part of the crate `fail` that is needed here. That crate itself turns on the feature `std` of `log`, with which
//! every crate of DataFusion would be compiled once more.

#[cfg(feature = "failpoints")]
mod registry {
    use std::collections::HashMap;
    use std::sync::{Arc, PoisonError, RwLock};

    type Callback = Arc<dyn Fn() + Send + Sync>;

    static CALLBACKS: RwLock<Option<HashMap<String, Callback>>> = RwLock::new(None);

    /// Runs `callback` whenever this process reaches the failpoint `name`.
    pub fn cfg_callback(name: impl Into<String>, callback: impl Fn() + Send + Sync + 'static) {
        let mut callbacks = CALLBACKS.write().unwrap_or_else(PoisonError::into_inner);
        callbacks.get_or_insert_default().insert(name.into(), Arc::new(callback));
    }

    /// What a failpoint does when it is reached.
    pub fn eval(name: &str) {
        let callbacks = CALLBACKS.read().unwrap_or_else(PoisonError::into_inner);
        let callback = callbacks.as_ref().and_then(|callbacks| callbacks.get(name)).map(Arc::clone);
        drop(callbacks);
        if let Some(callback) = callback {
            callback();
        }
    }
}

#[cfg(feature = "failpoints")]
pub use registry::{cfg_callback, eval};

/// A place of this name where a test may cut the process short.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! fail_point {
    ($name:expr) => {{
        $crate::eval($name);
    }};
}

/// A place of this name where a test may cut the process short: nothing in this build.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! fail_point {
    ($name:expr) => {{}};
}
