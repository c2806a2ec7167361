//! Scenes: documents in the object format of three.js, or glTF 2.0 whose buffers and images are elsewhere.

use serde_json::Value;

use crate::{
    error::{ContentError, Subject},
    gltf,
    hosts::AllowedHosts,
    object::Faults,
    schema::check_bytes,
    three,
};

/// Largest scene in bytes, as compact JSON.
pub const SCENE_BYTES: usize = 8 << 20;

/// Format of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SceneFormat {
    /// The object format of three.js, version 4.
    Three,
    /// glTF 2.0.
    Gltf,
}

impl SceneFormat {
    /// Returns the name in requests and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Three => "three",
            Self::Gltf => "gltf",
        }
    }

    /// Reads [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Three, Self::Gltf].into_iter().find(|format| format.name() == name)
    }
}

/// Checks a scene.
///
/// # Errors
/// [`ContentError`] with the pointer to each thing that is wrong.
pub fn check_scene(document: &Value, format: SceneFormat, hosts: &AllowedHosts) -> Result<(), ContentError> {
    check_bytes(document, Subject::Scene, SCENE_BYTES)?;
    let mut faults = Faults::default();
    if let Some(scene) = faults.object(document, "") {
        match format {
            SceneFormat::Three => three::judge(&mut faults, scene, hosts),
            SceneFormat::Gltf => gltf::judge(&mut faults, scene, hosts),
        }
    }
    faults.end(Subject::Scene)
}

#[cfg(test)]
#[path = "scene_tests.rs"]
mod tests;
