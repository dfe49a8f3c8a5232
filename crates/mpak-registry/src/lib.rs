//! Receives, stores, scans, indexes and serves bundles, by API and by web pages.
