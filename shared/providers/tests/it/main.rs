//! The providers through the real client, against recorded answers and the simulator.

mod anthropic;
mod anthropic_calls;
mod aws;
mod azure;
mod azure_openai;
mod client;
mod cohere;
mod conformance;
mod gemini;
mod google_cloud;
mod metering;
mod moto;
mod price_document;
mod probes;
mod recorded;
mod reports;
mod world;
