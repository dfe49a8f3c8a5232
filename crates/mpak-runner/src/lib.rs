//! Runs an extracted bundle: runtimes, launch, environment, signals.
