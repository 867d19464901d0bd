//! The engine: one for the whole host, with the settings that DESIGN measured.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::{Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::cache::Cache;
use crate::capability::secret::scan::Scan;
use crate::plugin::Binary;

/// How often a running guest looks whether it should yield.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// Instances of tools that can be alive at once where nothing else is said, and of agents.
const CALLS_MAX: u32 = 1_000;
const AGENTS_MAX: u32 = 256;
/// Largest linear memory of a pooled instance; what one call may use is a plugin's own limit.
const MEMORY_BYTES_MAX: usize = 1 << 30;
/// Memory kept and zeroed by hand between two instances in one slot, rather than given back.
const MEMORY_KEEP_RESIDENT: usize = 32 << 20;
const TABLE_KEEP_RESIDENT: usize = 512 << 10;
const TABLE_ELEMENTS_MAX: usize = 100_000;
/// What one component may consist of. Even the smallest pool, that of a command which makes one call,
/// has room for two of the largest: a Python component would not start in it otherwise.
const CORE_INSTANCES_MAX: u32 = 64;
const MEMORIES_MAX: u32 = 8;
const TABLES_MAX: u32 = 64;
const WASM_STACK_BYTES: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    #[error("the WebAssembly engine does not start: {0}")]
    Engine(String),
}

/// How many instances can be alive at once; the pool is made for so many. Agents have room of their own: if they could
/// take all of it, none of them could call a tool, and all would wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub agents: u32,
    pub calls: u32,
}

impl From<u32> for Room {
    fn from(each: u32) -> Self {
        Self { agents: each, calls: each }
    }
}

impl Room {
    fn all(self) -> u32 {
        self.agents.saturating_add(self.calls)
    }
}

/// The engine, its clock for yielding, and the compile cache.
pub struct Runtime {
    pub(super) engine: Engine,
    /// The engine with the asynchronous component model, made when a component needs it. It costs every call in it
    /// some microseconds, and is more of an engine than what does without has to be trusted to.
    concurrent: OnceLock<Result<Engine, String>>,
    room: Room,
    /// Who finds no room waits for it: an agent that fails because others work would be no use to anybody.
    pub(super) agents: Semaphore,
    pub(super) calls: Semaphore,
    ticked: Arc<Mutex<Vec<EngineWeak>>>,
    pub(super) cache: Option<Cache>,
    /// Finds the secrets of the project in what tools say.
    pub(super) scan: Arc<Scan>,
    is_pooled: bool,
    is_alive: Arc<AtomicBool>,
}

impl Runtime {
    /// Start the engine. `cache` is where compiled code is kept; none keeps it in memory only.
    ///
    /// # Errors
    /// The machine cannot run it at all.
    pub fn new(cache: Option<Cache>) -> Result<Self, RuntimeError> {
        Self::with_room(cache, Room { agents: AGENTS_MAX, calls: CALLS_MAX })
    }

    /// The same with room for so many calls at once, and as many agents: a command that makes one call
    /// need not reserve a pool.
    ///
    /// # Errors
    /// The machine cannot run it at all.
    pub fn with_instances(cache: Option<Cache>, instances: u32) -> Result<Self, RuntimeError> {
        Self::with_room(cache, instances.into())
    }

    /// The same with this much room.
    ///
    /// # Errors
    /// The machine cannot run it at all.
    pub fn with_room(cache: Option<Cache>, room: Room) -> Result<Self, RuntimeError> {
        let (engine, is_pooled) = engine(room.all(), false).map_err(RuntimeError::Engine)?;
        let is_alive = Arc::new(AtomicBool::new(true));
        let ticked = Arc::new(Mutex::new(vec![engine.weak()]));
        let (engines, alive) = (ticked.clone(), is_alive.clone());
        std::thread::Builder::new()
            .name("epoch".into())
            .spawn(move || {
                while alive.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                    let engines = engines.lock().unwrap_or_else(PoisonError::into_inner);
                    let ticked = engines.iter().filter_map(EngineWeak::upgrade).map(|engine| engine.increment_epoch());
                    if ticked.count() == 0 {
                        return;
                    }
                }
            })
            .map_err(|e| RuntimeError::Engine(e.to_string()))?;
        let concurrent = OnceLock::new();
        let permits = |count: u32| Semaphore::new(usize::try_from(count).unwrap_or(Semaphore::MAX_PERMITS));
        let (agents, calls) = (permits(room.agents), permits(room.calls));
        let scan = Arc::default();
        Ok(Self { engine, concurrent, room, agents, calls, ticked, cache, scan, is_pooled, is_alive })
    }

    /// The engine for a component: that of all, but for one whose functions are asynchronous.
    pub(super) fn engine_for(&self, binary: &Binary) -> Result<&Engine, RuntimeError> {
        if !binary.is_of_act() {
            return Ok(&self.engine);
        }
        let made = self.concurrent.get_or_init(|| {
            let (engine, _) = engine(self.room.all(), true)?;
            self.ticked.lock().unwrap_or_else(PoisonError::into_inner).push(engine.weak());
            Ok(engine)
        });
        made.as_ref().map_err(|error| RuntimeError::Engine(error.clone()))
    }

    /// The same, with what may not be in anything that a tool says.
    #[must_use]
    pub fn with_scan(mut self, scan: Arc<Scan>) -> Self {
        self.scan = scan;
        self
    }

    /// Whether agents wait for room: one that could give its room back should.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.agents.available_permits() == 0
    }

    /// Whether instances come from the pool.
    #[must_use]
    pub fn is_pooled(&self) -> bool {
        self.is_pooled
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.is_alive.store(false, Ordering::Relaxed);
    }
}

/// An engine with room for so many instances, and whether they come from a pool.
fn engine(instances: u32, is_concurrent: bool) -> Result<(Engine, bool), String> {
    // Where the address space does not hold the pool (ulimit -v, small VMs), instances are
    // made on demand: slower, and just as confined.
    match Engine::new(&settings(Some(instances), is_concurrent)) {
        Ok(engine) => Ok((engine, true)),
        Err(_) => match Engine::new(&settings(None, is_concurrent)) {
            Ok(engine) => Ok((engine, false)),
            Err(error) => Err(format!("{error:#}")),
        },
    }
}

fn settings(pool_of: Option<u32>, is_concurrent: bool) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(is_concurrent)
        .wasm_component_model_async(is_concurrent)
        // Types that components which were not written for this host may use.
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(WASM_STACK_BYTES + (512 << 10))
        // An agent is replayed from its journal: the same input has to give the same bits.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(8));
    if let Some(instances) = pool_of {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(instances)
            // A Python component is 38 core instances, a QuickJS one has 3 memories.
            .total_core_instances(instances.saturating_mul(8).max(CORE_INSTANCES_MAX * 2))
            .total_memories(instances.saturating_mul(2).max(MEMORIES_MAX * 2))
            .total_tables(instances.saturating_mul(4).max(TABLES_MAX * 2))
            .total_stacks(instances)
            .max_core_instances_per_component(CORE_INSTANCES_MAX)
            .max_memories_per_component(MEMORIES_MAX)
            .max_tables_per_component(TABLES_MAX)
            .max_component_instance_size(1 << 20)
            .max_core_instance_size(1 << 20)
            .table_elements(TABLE_ELEMENTS_MAX)
            .max_memory_size(MEMORY_BYTES_MAX)
            .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
            .table_keep_resident(TABLE_KEEP_RESIDENT)
            .async_stack_keep_resident(128 << 10)
            .max_unused_warm_slots(64)
            .pagemap_scan(Enabled::Auto);
        config
            .memory_reservation(u64::try_from(MEMORY_BYTES_MAX).unwrap_or(u64::MAX))
            .memory_guard_size(32 << 20)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}
