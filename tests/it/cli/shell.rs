//! The interactive shell, in a terminal that `script` makes.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::{ENDLESS, folder};

struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn new(state: &std::path::Path) -> Self {
        let mut child = Command::new("script")
            .args(["-qefc", concat!("exec ", env!("CARGO_BIN_EXE_limpid"), " sql"), "/dev/null"])
            .env("XDG_STATE_HOME", state)
            .env("TERM", "xterm")
            .current_dir(state)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (send, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut bytes) {
                if send.send(bytes[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keys, screen, seen: String::new() }
    }

    fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen shows `text` after all that was waited for before.
    fn shows(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("waited for {text:?}, the screen shows {:?}", self.seen),
            }
        }
    }

    /// Waits for the prompt, and until nothing more comes: a key that is pressed earlier is lost.
    fn prompt(&mut self) {
        self.shows("limpid> ");
        while let Ok(bytes) = self.screen.recv_timeout(Duration::from_millis(300)) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn the_shell() {
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: there is no `script` to make a terminal with");
        return;
    }
    let folder = folder();
    let mut terminal = Terminal::new(folder.path());
    terminal.prompt();
    // Statements may span lines; each result is followed by its cost.
    terminal.keys("SELECT 20 +\n");
    terminal.shows("     -> ");
    terminal.keys("22 AS answer;\n");
    terminal.shows("|     42 |");
    terminal.shows("1 row, ");
    terminal.prompt();
    // An error ends nothing.
    terminal.keys("SELECT nothing;\n");
    terminal.shows("error: ");
    terminal.prompt();
    // Ctrl-C ends the query, not the shell.
    terminal.keys(&format!("{ENDLESS};\n"));
    std::thread::sleep(Duration::from_millis(1500));
    let pressed = Instant::now();
    terminal.keys("\x03");
    terminal.shows("cancelled");
    assert!(pressed.elapsed() < Duration::from_secs(10), "{:?}", pressed.elapsed());
    terminal.prompt();
    // Tab completes the names of functions and operators.
    terminal.keys("SELECT xxh3_6\t'limpid') > 0 AS hashed;\n");
    terminal.shows("| hashed |");
    terminal.shows("| true   |");
    terminal.prompt();
    terminal.keys("EXPLAIN SELECT * FROM exact_d\t(SELECT 1 AS id, 'a' AS text));\n");
    terminal.shows("OperatorExec: exact_dedup");
    terminal.prompt();
    // Ctrl-C clears a line; settings hold from statement to statement; backslash commands.
    terminal.keys("SELECT 'half of a");
    std::thread::sleep(Duration::from_millis(500));
    terminal.keys("\x03");
    terminal.prompt();
    terminal.keys("SET limpid.seed = 7;\n");
    terminal.prompt();
    terminal.keys("SHOW limpid.seed;\n");
    terminal.shows("| limpid.seed | 7 ");
    terminal.prompt();
    terminal.keys("\\df exact*\n");
    terminal.shows("| exact_dedup |");
    terminal.prompt();
    terminal.keys("\\x\n");
    terminal.shows("one line a value");
    terminal.prompt();
    terminal.keys("SELECT 1 AS one;\n");
    terminal.shows("-[ row 1 ]-");
    terminal.prompt();
    // Arrow up brings the last statement back.
    terminal.keys("\x1b[A\n");
    terminal.shows("-[ row 1 ]-");
    terminal.prompt();
    terminal.keys("\\q\n");
    assert!(terminal.child.wait().unwrap().success());
    let history = fs::read_to_string(folder.path().join("limpid/history")).unwrap();
    assert!(history.contains("22 AS answer;") && history.contains("SET limpid.seed = 7;"), "{history}");
    assert!(!history.contains("half of a"), "{history}");
    // The next shell knows the statements of the last one.
    let mut terminal = Terminal::new(folder.path());
    terminal.prompt();
    terminal.keys("\x1b[A\x1b[A\n");
    terminal.shows("| one |");
    terminal.prompt();
    terminal.keys("\x04");
    assert!(terminal.child.wait().unwrap().success());
}
