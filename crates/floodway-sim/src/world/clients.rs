//! At the limiter: who gets a permit, who waits for one, and who is sent away.

use std::cmp::Reverse;

use floodway_control::Outcome;

use super::{Event, SECOND, World};
use crate::scenario::Clients;

/// The longest wait at the limiter, as a part of the time that an operation may take once it has
/// begun.
const WAIT: f64 = 0.4;

impl World<'_> {
    /// Asks for a permit, for the first time or again.
    pub(super) fn attempt(&mut self, slot: u32) {
        let operation = &mut self.operations[slot as usize];
        operation.generation += 1;
        let (generation, replica) = (operation.generation, operation.replica as usize);
        let places = self.scenario.clients.map_or(0, |clients| clients.queue);
        if self.waiting.is_empty() && self.replicas[replica].admit() {
            self.enter(slot);
        } else if self.waiting.len() < places {
            self.replicas[replica].note_limited();
            self.waiting.push_back((slot, generation));
            let until = self.now + (self.deadline as f64 * WAIT) as u64;
            self.events.push(Reverse((until, Event::Waited(slot, generation))));
        } else {
            self.replicas[replica].note_limited();
            self.refuse(slot);
        }
    }

    /// Whoever waits in this slot has waited too long, unless it is another by now.
    pub(super) fn give_up(&mut self, slot: u32, generation: u32) {
        let operation = &mut self.operations[slot as usize];
        if operation.generation == generation && !operation.admitted {
            // The attempt is over, and its place in the queue is void.
            operation.generation += 1;
            self.refuse(slot);
        }
    }

    fn refuse(&mut self, slot: u32) {
        self.trace.rejected += 1;
        self.trace.second(self.now).rejected += 1;
        let Some(clients) = self.scenario.clients else {
            self.free.push(slot);
            return;
        };
        self.refusals.note_refusal(self.now);
        self.send_away(slot, clients);
    }

    /// Tells a caller when to come back, unless it has had enough.
    pub(super) fn send_away(&mut self, slot: u32, clients: Clients) {
        let back = self.refusals.back(self.now, self.waiting.len(), clients.returns);
        let first = self.operations[slot as usize].first;
        if (back - first) as f64 <= clients.patience * SECOND {
            self.events.push(Reverse((back, Event::Returned(slot))));
        } else {
            self.free.push(slot);
        }
    }

    /// Takes a permit back and passes it on.
    pub(super) fn release(&mut self, replica: usize, started: u64, outcome: Outcome) {
        self.replicas[replica].release(self.now, started, outcome);
        while let Some(&(slot, generation)) = self.waiting.front() {
            if self.operations[slot as usize].generation != generation {
                self.waiting.pop_front();
            } else if self.replicas[replica].admit() {
                self.waiting.pop_front();
                self.enter(slot);
            } else {
                return;
            }
        }
    }

    /// The part of the workers' time that refusing leaves.
    pub(super) fn left_by_refusals(&self) -> f64 {
        let cost = self.scenario.clients.map_or(0.0, |clients| clients.refusal);
        let busy = self.refusals.per_second(self.now) * cost / self.scenario.capacity();
        1.0 - busy.min(0.95)
    }
}
