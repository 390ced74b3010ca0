//! Execution providers of the library, by device.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ort::ep::{self, ExecutionProvider};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::runtime::{Backend, Runtime};
use crate::device::Device;

/// Prepares a builder that opens a model with `runtime` on `device`.
pub fn prepared(runtime: &Runtime, device: Device, threads: usize) -> Result<SessionBuilder, String> {
    if device != Device::Cpu && runtime.backend == Backend::Tract {
        return Err("tract runs on the processor only; a device needs libonnxruntime".to_owned());
    }
    let options = || -> ort::Result<SessionBuilder> {
        let mut builder = Session::builder(&runtime.environment)?;
        if runtime.backend == Backend::Tract {
            // It only runs graphs that its optimiser has seen, and supports no other option.
            return Ok(builder.with_optimization_level(GraphOptimizationLevel::Level3)?);
        }
        builder = builder.with_optimization_level(GraphOptimizationLevel::All)?;
        builder = builder.with_intra_threads(threads)?;
        // The library also prints to the terminal what it returns as an error.
        builder = builder.with_log_level(ort::logging::LogLevel::Fatal)?;
        let provider = match device {
            Device::Cpu => return Ok(builder),
            Device::Cuda(number) => ep::cuda::CUDA::default().with_device_id(number.into()).build(),
            Device::TensorRt(number) => ep::tensorrt::TensorRT::default().with_device_id(number.into()).build(),
            Device::CoreMl => ep::coreml::CoreML::default().build(),
            Device::DirectMl(number) => ep::directml::DirectML::default().with_device_id(number.into()).build(),
        };
        Ok(builder.with_execution_providers([provider.error_on_failure()])?)
    };
    options().map_err(text)
}

/// The devices that the library was built for, each with the reason if it cannot be used here.
pub fn devices(runtime: &Runtime) -> Vec<(Device, Result<(), String>)> {
    let built_for = |available: ort::Result<bool>| available.unwrap_or(false);
    let mut devices = vec![(Device::Cpu, true)];
    if runtime.backend != Backend::Tract {
        devices.extend([
            (Device::Cuda(0), built_for(ep::cuda::CUDA::is_available())),
            (Device::TensorRt(0), built_for(ep::tensorrt::TensorRT::is_available())),
            (Device::CoreMl, built_for(ep::coreml::CoreML::is_available())),
            (Device::DirectMl(0), built_for(ep::directml::DirectML::is_available())),
        ]);
    }
    devices.retain(|(_, built_for)| *built_for);
    let tried = |device| guarded(|| prepared(runtime, device, 1)).map(drop);
    devices.into_iter().map(|(device, _)| (device, tried(device))).collect()
}

/// Runs `work` and turns a panic in the runtime into an error.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the runtime gave up".to_owned()))
}

/// The message of a library error.
#[expect(clippy::needless_pass_by_value, reason = "map_err passes values")]
pub fn text<T>(error: ort::Error<T>) -> String {
    error.to_string()
}
