//! Images on disk, as an OCI image layout, for skopeo to push.
//!
//! Source: OCI image format specification 1.1, "Image Layout".

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A folder with images, each under a name.
#[derive(Debug)]
pub struct Layout {
    folder: PathBuf,
    named: Vec<Value>,
}

impl Layout {
    /// An empty layout.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self { folder, named: Vec::new() }
    }

    /// An index of these architectures under this name; returns its digest.
    pub fn index(&mut self, name: &str, architectures: &[&str]) -> String {
        let manifests: Vec<Value> = architectures
            .iter()
            .map(|architecture| {
                let mut descriptor = self.manifest(name, architecture);
                descriptor["platform"] = json!({ "os": "linux", "architecture": architecture });
                descriptor
            })
            .collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        let descriptor = self.blob(index.to_string().as_bytes(), INDEX);
        self.name(name, descriptor)
    }

    /// One image under this name; returns its digest.
    pub fn single(&mut self, name: &str) -> String {
        let descriptor = self.manifest(name, "amd64");
        self.name(name, descriptor)
    }

    /// The image of this name, as skopeo names it.
    #[must_use]
    pub fn reference(&self, name: &str) -> String {
        format!("oci:{}:{name}", self.folder.display())
    }

    fn manifest(&mut self, name: &str, architecture: &str) -> Value {
        // An archive without files: two blocks of zeros (POSIX.1-2017, pax, "ustar Interchange Format").
        let archive = [0; 1_024];
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&archive).unwrap();
        let layer = self.blob(&packed.finish().unwrap(), "application/vnd.oci.image.layer.v1.tar+gzip");
        let config = json!({
            "os": "linux", "architecture": architecture,
            "config": { "Labels": {
                "org.opencontainers.image.version": name,
                "org.opencontainers.image.revision": hex::encode(Sha256::digest(name)).get(..40),
                "org.opencontainers.image.source": "https://git.example.com/shop/app",
            } },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex::encode(Sha256::digest(archive)))] },
        });
        let config = self.blob(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json");
        let manifest =
            json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
        self.blob(manifest.to_string().as_bytes(), MANIFEST)
    }

    fn blob(&mut self, bytes: &[u8], media_type: &str) -> Value {
        let hex = hex::encode(Sha256::digest(bytes));
        fs::write(self.folder.join("blobs/sha256").join(&hex), bytes).unwrap();
        json!({ "mediaType": media_type, "digest": format!("sha256:{hex}"), "size": bytes.len() })
    }

    fn name(&mut self, name: &str, mut descriptor: Value) -> String {
        let digest = descriptor["digest"].as_str().unwrap().to_owned();
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        self.named.push(descriptor);
        let index = json!({ "schemaVersion": 2, "manifests": self.named });
        fs::write(self.folder.join("index.json"), index.to_string()).unwrap();
        digest
    }
}
