//! The providers through the real client, against recorded answers and the simulator.
