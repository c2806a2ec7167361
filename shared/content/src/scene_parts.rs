//! What scenes of both formats have: nodes, and addresses of what is elsewhere. Nothing is fetched.

use crate::{hosts::AllowedHosts, object::Faults};

/// Most nodes of a scene.
pub(crate) const MOST_NODES: usize = 10_000;

/// Notes an address that may not be referred to. Data by value is bounded by the size of the document.
pub(crate) fn address(faults: &mut Faults, address: &str, at: &str, hosts: &AllowedHosts) {
    const BY_VALUE: [&str; 6] = [
        "data:image/png;base64,",
        "data:image/jpeg;base64,",
        "data:image/webp;base64,",
        "data:image/ktx2;base64,",
        "data:application/octet-stream;base64,",
        "data:application/gltf-buffer;base64,",
    ];
    if BY_VALUE.iter().any(|kind| address.starts_with(kind)) {
        return;
    }
    if let Some(why) = hosts.refusal(address) {
        faults.add(at, why);
    }
}
