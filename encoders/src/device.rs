//! Devices on which a model can run.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A device on which a model can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Device {
    /// The CPU.
    #[default]
    Cpu,
    /// An NVIDIA GPU through CUDA, by its number.
    Cuda(u16),
    /// An NVIDIA GPU through TensorRT, by its number.
    TensorRt(u16),
    /// Apple's neural engine and GPU.
    CoreMl,
    /// A GPU under Windows, by its number.
    DirectMl(u16),
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::UnknownDevice(text.to_owned());
        let (kind, number) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(number.parse().map_err(|_| unknown())?)),
            None => (text, None),
        };
        match (kind.to_ascii_lowercase().as_str(), number) {
            ("cpu", None) => Ok(Self::Cpu),
            ("cuda", number) => Ok(Self::Cuda(number.unwrap_or(0))),
            ("tensorrt", number) => Ok(Self::TensorRt(number.unwrap_or(0))),
            ("coreml", None) => Ok(Self::CoreMl),
            ("directml", number) => Ok(Self::DirectMl(number.unwrap_or(0))),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::TensorRt(number) => write!(f, "tensorrt:{number}"),
            Self::CoreMl => f.write_str("coreml"),
            Self::DirectMl(number) => write!(f, "directml:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for device in [Device::Cpu, Device::Cuda(1), Device::TensorRt(0), Device::CoreMl, Device::DirectMl(2)] {
            assert_eq!(device.to_string().parse::<Device>().unwrap(), device);
        }
        assert_eq!("CUDA".parse::<Device>().unwrap(), Device::Cuda(0));
        for wrong in ["", "gpu", "cpu:0", "cuda:", "cuda:-1", "cuda:x", "coreml:1"] {
            assert!(wrong.parse::<Device>().is_err(), "{wrong}");
        }
    }
}
