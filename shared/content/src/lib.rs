//! Content types, content, flows and scenes: what is pure of them. Schemas are compiled and data is checked here, documents
//! of React Flow and three.js are judged, compared and changed.
//!
//! Nothing here reads, fetches or stores anything, and no message holds a value of what it judges. Whatever is judged
//! is bounded first: no schema, document or query makes a check run long or deep.

mod diff;
mod error;
mod flow;
mod flow_cycles;
mod flow_operations;
mod gltf;
mod graph;
mod hosts;
mod locale;
mod object;
mod pointer;
mod query;
mod scene;
mod scene_parts;
mod schema;
mod schema_shape;
mod slug;
mod three;

pub use diff::{Change, diff};
pub use error::{ContentError, Fault, Subject};
pub use flow::{FLOW_BYTES, NodeTypes, check_flow, same_but_for_looks};
pub use flow_operations::{FlowOperation, apply};
pub use hosts::AllowedHosts;
pub use locale::{is_locale, preferred};
pub use query::{Condition, Order, Query, projected};
pub use scene::{SCENE_BYTES, SceneFormat, check_scene};
pub use schema::{DATA_BYTES, SCHEMA_BYTES, Schema, check_depth};
pub use slug::{is_slug, slug_of};
