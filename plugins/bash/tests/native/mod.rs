//! A machine for the shell's core without a host around it: one granted folder, and the programs of
//! the real PATH that a test names. Nothing is confined here; the real host has its own tests.

use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use plugin_bash::system::{
    Child, Command, Entry, Exit, FileError, Kind, Metadata, Output, ProcessError, Program, Root, System, WriteMode,
};

pub struct Machine {
    root: PathBuf,
    programs: Vec<Program>,
    news: Arc<News>,
}

#[derive(Default)]
struct News {
    count: Mutex<u64>,
    arrived: Condvar,
}

impl News {
    fn tell(&self) {
        *self.count.lock().unwrap() += 1;
        self.arrived.notify_all();
    }
}

impl Machine {
    pub fn new(root: impl Into<PathBuf>, programs: &[&str]) -> Self {
        let programs = programs
            .iter()
            .filter_map(|name| {
                let folders = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin"];
                let path = folders
                    .iter()
                    .map(|folder| format!("{folder}/{name}"))
                    .find(|path| std::path::Path::new(path).exists())?;
                Some(Program { name: (*name).to_owned(), path })
            })
            .collect();
        Self { root: root.into(), programs, news: Arc::default() }
    }

    fn check(&self, path: &str) -> Result<(), FileError> {
        if std::path::Path::new(path).starts_with(&self.root) {
            Ok(())
        } else {
            Err(FileError::OutsideGrant(format!("`{path}` is outside of the grant")))
        }
    }
}

fn failed(error: &std::io::Error) -> FileError {
    use std::io::ErrorKind;
    let text = error.to_string();
    match error.kind() {
        ErrorKind::NotFound => FileError::NotFound(text),
        ErrorKind::AlreadyExists => FileError::AlreadyExists(text),
        ErrorKind::IsADirectory => FileError::IsDirectory(text),
        ErrorKind::NotADirectory => FileError::NotDirectory(text),
        ErrorKind::DirectoryNotEmpty => FileError::NotEmpty(text),
        _ => FileError::Other(text),
    }
}

fn metadata(found: &std::fs::Metadata) -> Metadata {
    let kind = match found.file_type() {
        kind if kind.is_file() => Kind::File,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_symlink() => Kind::Symlink,
        _ => Kind::Other,
    };
    let modified = found.modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Metadata {
        kind,
        size: found.len(),
        modified_ms: modified.as_millis() as u64,
        mode: found.permissions().mode() & 0o7777,
        links: 1,
    }
}

impl System for Machine {
    fn roots(&self) -> Vec<Root> {
        vec![Root { path: self.root.to_string_lossy().into_owned(), writable: true }]
    }
    fn working_directory(&self) -> String {
        self.root.to_string_lossy().into_owned()
    }
    fn stat(&self, path: &str, follow: bool) -> Result<Metadata, FileError> {
        self.check(path)?;
        let found = if follow { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
        found.map(|found| metadata(&found)).map_err(|e| failed(&e))
    }
    fn read(&self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>, FileError> {
        self.check(path)?;
        let bytes = std::fs::read(path).map_err(|e| failed(&e))?;
        let start = bytes.len().min(offset as usize);
        Ok(bytes[start..bytes.len().min(start + length as usize)].to_vec())
    }
    fn list(&self, path: &str) -> Result<Vec<Entry>, FileError> {
        self.check(path)?;
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path).map_err(|e| failed(&e))? {
            let entry = entry.map_err(|e| failed(&e))?;
            let found = entry.metadata().map_err(|e| failed(&e))?;
            entries.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), metadata: metadata(&found) });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
    fn write(&self, path: &str, bytes: &[u8], mode: WriteMode) -> Result<(), FileError> {
        self.check(path)?;
        let mut options = std::fs::OpenOptions::new();
        match mode {
            WriteMode::Create => options.write(true).create_new(true),
            WriteMode::Replace => options.write(true).create(true).truncate(true),
            WriteMode::Append => options.append(true).create(true),
        };
        options.open(path).and_then(|mut file| file.write_all(bytes)).map_err(|e| failed(&e))
    }
    fn make_directory(&self, path: &str, parents: bool) -> Result<(), FileError> {
        self.check(path)?;
        if parents { std::fs::create_dir_all(path) } else { std::fs::create_dir(path) }.map_err(|e| failed(&e))
    }
    fn remove(&self, path: &str, recursive: bool) -> Result<(), FileError> {
        self.check(path)?;
        let found = std::fs::symlink_metadata(path).map_err(|e| failed(&e))?;
        match (found.is_dir(), recursive) {
            (true, true) => std::fs::remove_dir_all(path),
            (true, false) => std::fs::remove_dir(path),
            (false, _) => std::fs::remove_file(path),
        }
        .map_err(|e| failed(&e))
    }
    fn rename(&self, from: &str, to: &str) -> Result<(), FileError> {
        self.check(from)?;
        self.check(to)?;
        std::fs::rename(from, to).map_err(|e| failed(&e))
    }
    fn set_mode(&self, path: &str, mode: u32) -> Result<(), FileError> {
        self.check(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(|e| failed(&e))
    }
    fn set_modified(&self, path: &str, modified_ms: u64) -> Result<(), FileError> {
        self.check(path)?;
        let file = std::fs::File::open(path).map_err(|e| failed(&e))?;
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_millis(modified_ms)).map_err(|e| failed(&e))
    }
    fn make_symlink(&self, target: &str, link: &str) -> Result<(), FileError> {
        self.check(link)?;
        symlink(target, link).map_err(|e| failed(&e))
    }
    fn read_link(&self, path: &str) -> Result<String, FileError> {
        self.check(path)?;
        std::fs::read_link(path).map(|target| target.to_string_lossy().into_owned()).map_err(|e| failed(&e))
    }

    fn programs(&self) -> Vec<Program> {
        self.programs.clone()
    }

    fn start(&self, command: &Command) -> Result<Box<dyn Child>, ProcessError> {
        let known = self.programs.iter().find(|known| known.name == command.program || known.path == command.program);
        let Some(known) = known else {
            return Err(ProcessError::NotGranted(format!(
                "`{}` is not granted\nhint: add it to `programs`",
                command.program
            )));
        };
        let mut child = std::process::Command::new(&known.path)
            .args(&command.arguments)
            .current_dir(&command.directory)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .envs(command.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|e| ProcessError::Other(e.to_string()))?;
        let state = Arc::new(Mutex::new(Progress::default()));
        let stdin = child.stdin.take().unwrap();
        let mut readers = Vec::new();
        readers.push(read(child.stdout.take().unwrap(), state.clone(), self.news.clone(), false));
        readers.push(read(child.stderr.take().unwrap(), state.clone(), self.news.clone(), true));
        let pid = child.id() as i32;
        let (ended, news) = (state.clone(), self.news.clone());
        std::thread::spawn(move || {
            let status = child.wait().unwrap();
            for reader in readers {
                reader.join().unwrap();
            }
            ended.lock().unwrap().exit = Some(match status.signal() {
                Some(signal) => Exit::Signal(signal),
                None => Exit::Code(status.code().unwrap()),
            });
            news.tell();
        });
        let (input, queued) = std::sync::mpsc::sync_channel::<Vec<u8>>(4);
        let (writing, news) = (state.clone(), self.news.clone());
        std::thread::spawn(move || write(stdin, &queued, &writing, &news));
        Ok(Box::new(Running { state, input: Mutex::new(Some(input)), pid }))
    }

    fn wait(&self, children: &[&dyn Child], longest: Duration) -> Vec<usize> {
        let deadline = Instant::now() + longest;
        let mut count = self.news.count.lock().unwrap();
        loop {
            let ready: Vec<usize> = children
                .iter()
                .enumerate()
                .filter(|(_, child)| {
                    (**child as &dyn std::any::Any).downcast_ref::<Running>().is_some_and(Running::has_news)
                })
                .map(|(position, _)| position)
                .collect();
            let left = deadline.saturating_duration_since(Instant::now());
            if !ready.is_empty() || left.is_zero() {
                return ready;
            }
            count = self.news.arrived.wait_timeout(count, left).unwrap().0;
        }
    }
}

#[derive(Default)]
struct Progress {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    exit: Option<Exit>,
    has_room: bool,
    is_closed: bool,
    is_told: bool,
}

struct Running {
    state: Arc<Mutex<Progress>>,
    input: Mutex<Option<std::sync::mpsc::SyncSender<Vec<u8>>>>,
    pid: i32,
}

impl Running {
    fn has_news(&self) -> bool {
        let state = self.state.lock().unwrap();
        !state.stdout.is_empty()
            || !state.stderr.is_empty()
            || (state.exit.is_some() && !state.is_told)
            || state.has_room
    }
}

fn read(
    mut from: impl Read + Send + 'static,
    state: Arc<Mutex<Progress>>,
    news: Arc<News>,
    is_error: bool,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            while state.lock().unwrap().stdout.len() > 1 << 16 {
                std::thread::yield_now();
            }
            let mut state = state.lock().unwrap();
            if is_error { &mut state.stderr } else { &mut state.stdout }.extend_from_slice(&bytes[..count]);
            drop(state);
            news.tell();
        }
    })
}

fn write(mut stdin: ChildStdin, queued: &std::sync::mpsc::Receiver<Vec<u8>>, state: &Mutex<Progress>, news: &News) {
    while let Ok(bytes) = queued.recv() {
        let is_closed = stdin.write_all(&bytes).is_err();
        let mut state = state.lock().unwrap();
        state.has_room = true;
        state.is_closed |= is_closed;
        drop(state);
        news.tell();
    }
}

impl Child for Running {
    fn read(&self, length: u32) -> Output {
        let mut state = self.state.lock().unwrap();
        let take = |bytes: &mut Vec<u8>| {
            let count = bytes.len().min(length as usize);
            bytes.drain(..count).collect::<Vec<u8>>()
        };
        let (stdout, stderr) = (take(&mut state.stdout), take(&mut state.stderr));
        let is_over = state.stdout.is_empty() && state.stderr.is_empty() && !state.is_told;
        let ended = state.exit.clone().filter(|_| is_over);
        state.is_told |= ended.is_some();
        Output { stdout, stderr, ended }
    }
    fn write(&self, bytes: &[u8]) -> Result<u32, String> {
        let mut state = self.state.lock().unwrap();
        if state.is_closed || state.exit.is_some() {
            return Err("closed".into());
        }
        state.has_room = false;
        match self.input.lock().unwrap().as_ref().unwrap().try_send(bytes.to_vec()) {
            Ok(()) => Ok(bytes.len() as u32),
            Err(_) => Ok(0),
        }
    }
    fn close_input(&self) {
        self.input.lock().unwrap().take();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.state.lock().unwrap().exit.is_none()
            && let Some(group) = rustix::process::Pid::from_raw(self.pid)
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}
