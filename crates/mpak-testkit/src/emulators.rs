//! Object stores for tests: the protocol emulators moto (S3), gcp-storage-emulator and Azurite, as programs
//! of their own on loopback. They end with the test, even when it is killed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

mod call;
mod install;

pub use call::Call;

/// Longest start, on a machine that builds something else meanwhile.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// The one bucket.
const BUCKET: &str = "blobs";
/// Azurite's account, known to everybody.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
/// Its key.
const AZURE_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// Of signed addresses; other requests moto takes with any.
const S3_KEY: &str = "an-s3-secret";
/// What moto needs to see to give what is not public; it checks no signature.
const S3_SOMEBODY: &str =
    "authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// Whose protocol an emulator speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// S3, by moto.
    S3,
    /// Google Cloud Storage, by gcp-storage-emulator.
    Google,
    /// Azure Blob Storage, by Azurite.
    Azure,
}

/// A running emulator with an empty bucket.
#[derive(Debug)]
pub struct Emulator {
    protocol: Protocol,
    port: u16,
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Emulator {
    /// Installs it, if nobody did yet, and starts it on a free port.
    ///
    /// # Panics
    /// When that does not work: the test has failed.
    pub fn start(protocol: Protocol) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port is free");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut emulator = Self { protocol, port: free.port(), folder, child: None };
        emulator.begin();
        emulator
    }

    /// Starts it again on its port after [`Emulator::kill`]. Only Google's has kept everything: moto keeps
    /// nothing, and Azurite writes its list of objects every few seconds.
    ///
    /// # Panics
    /// When it does not start.
    pub fn begin(&mut self) {
        let mut command = self.command();
        let child = command.current_dir(self.folder.path()).stdin(Stdio::piped()).stdout(Stdio::null());
        let child = child.stderr(Stdio::null()).spawn();
        self.child = Some(child.unwrap_or_else(|e| unreachable!("{command:?} was installed: {e}")));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.as_mut().and_then(|c| c.try_wait().ok().flatten());
            assert!(ended.is_none(), "{command:?} ended: {ended:?}");
            assert!(began.elapsed() < START_TIMEOUT, "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let made = match self.protocol {
            Protocol::S3 => self.request("PUT", &format!("/{BUCKET}"), &[], b"").0,
            Protocol::Google => 200,
            Protocol::Azure => {
                let path = format!("/{AZURE_ACCOUNT}/{BUCKET}?restype=container&{}", azure_sas());
                self.request("PUT", &path, &[], b"").0
            }
        };
        assert!(matches!(made, 200 | 201 | 409), "the bucket was not made: {made}");
    }

    fn command(&self) -> Command {
        let port = self.port.to_string();
        let mut command;
        match self.protocol {
            Protocol::S3 => {
                command = Command::new(install::python());
                command.args(["-c", include_str!("emulators/s3.py"), &port, S3_KEY]);
            }
            Protocol::Google => {
                command = Command::new(install::python());
                command.args(["-c", include_str!("emulators/google.py"), &port]).arg(self.folder.path());
                command.args([BUCKET, &google_key().1]);
            }
            Protocol::Azure => {
                command = Command::new("node");
                command.args(["-e", include_str!("emulators/azure.js"), &port]).arg(self.folder.path());
                command.arg(install::azurite());
            }
        }
        command
    }

    /// Ends it at once, by its process id.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it without ending it: it accepts connections and answers nothing.
    ///
    /// # Panics
    /// When it does not run.
    pub fn freeze(&self) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        let stopped = Command::new("kill").args(["-STOP", &id]).status();
        assert!(stopped.is_ok_and(|s| s.success()), "the emulator was not stopped");
    }

    /// For `[storage] url`.
    pub fn url(&self) -> String {
        self.url_below("some/prefix")
    }

    /// The same with a prefix of the caller's.
    pub fn url_below(&self, prefix: &str) -> String {
        let scheme = match self.protocol {
            Protocol::S3 => "s3",
            Protocol::Google => "gs",
            Protocol::Azure => "az",
        };
        format!("{scheme}://{BUCKET}/{prefix}")
    }

    /// For `[storage] endpoint`.
    pub fn endpoint(&self) -> String {
        match self.protocol {
            Protocol::S3 | Protocol::Google => format!("http://127.0.0.1:{}", self.port),
            Protocol::Azure => format!("http://127.0.0.1:{}/{AZURE_ACCOUNT}", self.port),
        }
    }

    /// For `[storage] access_key_id`.
    pub fn access_key_id(&self) -> Option<String> {
        match self.protocol {
            Protocol::S3 => Some("an-s3-key-id".to_owned()),
            Protocol::Google => None,
            Protocol::Azure => Some(AZURE_ACCOUNT.to_owned()),
        }
    }

    /// For `[storage] secret_access_key`.
    pub fn secret_access_key(&self) -> String {
        match self.protocol {
            Protocol::S3 => S3_KEY.to_owned(),
            Protocol::Google => google_key().0.clone(),
            Protocol::Azure => AZURE_KEY.to_owned(),
        }
    }

    /// What lies under a key below the prefix, asked by another way than the registry's.
    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        let (status, body) = match self.protocol {
            Protocol::S3 => self.request("GET", &format!("/{BUCKET}/some/prefix/{key}"), &[S3_SOMEBODY], b""),
            Protocol::Google => {
                let name = format!("some/prefix/{key}").replace('/', "%2F");
                self.request("GET", &format!("/storage/v1/b/{BUCKET}/o/{name}?alt=media"), &[], b"")
            }
            Protocol::Azure => {
                let path = format!("/{AZURE_ACCOUNT}/{BUCKET}/some/prefix/{key}?{}", azure_sas());
                self.request("GET", &path, &[], b"")
            }
        };
        (status == 200).then_some(body)
    }

    /// Puts something under a key below the prefix, by another way than the registry's.
    ///
    /// # Panics
    /// When the store refuses.
    pub fn put_object(&self, key: &str, bytes: &[u8]) {
        let status = match self.protocol {
            Protocol::S3 => self.request("PUT", &format!("/{BUCKET}/some/prefix/{key}"), &[S3_SOMEBODY], bytes).0,
            Protocol::Google => {
                let name = format!("some/prefix/{key}").replace('/', "%2F");
                let path = format!("/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={name}");
                self.request("POST", &path, &["content-type: application/octet-stream"], bytes).0
            }
            Protocol::Azure => {
                let path = format!("/{AZURE_ACCOUNT}/{BUCKET}/some/prefix/{key}?{}", azure_sas());
                self.request("PUT", &path, &["x-ms-blob-type: BlockBlob"], bytes).0
            }
        };
        assert!(matches!(status, 200 | 201), "the object was not put: {status}");
    }

    /// One HTTP request; status and body.
    fn request(&self, method: &str, path: &str, headers: &[&str], body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the emulator listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout can be set");
        let more = headers.join("\r\n") + if headers.is_empty() { "" } else { "\r\n" };
        let length = body.len();
        // 1.0, so that the answer ends with the connection and comes in one piece.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nhost: 127.0.0.1:{}\r\ncontent-length: {length}\r\n{more}\r\n",
            self.port
        );
        let mut answer = Vec::new();
        let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        sent.and_then(|()| stream.read_to_end(&mut answer)).expect("the emulator answers");
        let split = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer has a head");
        let head = String::from_utf8_lossy(&answer[..split]).into_owned();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("an answer has a status");
        (status, answer.split_off(split + 4))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A shared access signature of the account that allows everything for ever.
fn azure_sas() -> String {
    let (version, expiry) = ("2021-08-06", "2099-01-01T00:00:00Z");
    let text = format!("{AZURE_ACCOUNT}\nrwdlac\nb\nsco\n\n{expiry}\n\n\n{version}\n\n");
    let key = STANDARD.decode(AZURE_KEY).expect("a known key");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes());
    let signature = STANDARD.encode(signature).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("sv={version}&ss=b&srt=sco&sp=rwdlac&se={expiry}&sig={signature}")
}

/// A service account's JSON key, and the modulus of its public key in hexadecimal.
fn google_key() -> &'static (String, String) {
    static KEY: OnceLock<(String, String)> = OnceLock::new();
    KEY.get_or_init(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
        let der: Pkcs8V1Der<'static> = pair.as_der().expect("a key can be written");
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
        let account = json!({
            "type": "service_account", "client_email": "mpak@project.example", "private_key_id": "1",
            "private_key": pem,
        });
        let modulus = hex(pair.public_key().modulus().big_endian_without_leading_zero());
        (account.to_string(), modulus)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|n| char::from_digit(u32::from(n), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_emulator_keeps_objects_and_ends() {
        for protocol in [Protocol::S3, Protocol::Google, Protocol::Azure] {
            let mut emulator = Emulator::start(protocol);
            assert_eq!(emulator.object("key"), None, "{protocol:?}");
            emulator.put_object("key", b"bytes");
            assert_eq!(emulator.object("key").as_deref(), Some(&b"bytes"[..]), "{protocol:?}");
            emulator.kill();
            assert!(TcpStream::connect(("127.0.0.1", emulator.port)).is_err(), "{protocol:?}");
            emulator.begin();
            if protocol == Protocol::Google {
                assert!(emulator.object("key").is_some());
            }
        }
    }
}
