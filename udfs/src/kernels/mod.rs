//! Pure algorithms: slices and numbers in, numbers out. No Arrow and no SQL here.
