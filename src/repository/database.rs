//! The object database as our edits need it: the objects read and written last are held in memory, new ones go to
//! disk uncompressed.
//!
//! A folder of 10,000 files is a tree of 350 kB: to inflate, hash and deflate it anew at each step would be most
//! of what a promotion costs. Loose objects live until the mirror is tidied, so they are stored as they are.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::Path;
use std::rc::Rc;

use flate2::{Compress, Compression, FlushCompress, Status};
use git2::{ObjectType, OdbLookupFlags, Oid, Repository};
use sha1::{Digest as _, Sha1};

use super::error::{Fault, no_edit};

/// Bytes of objects held: about twenty folders of 10,000 files.
const HELD_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// An object with more is not held.
const HELD_OBJECT_BYTES_MAX: usize = 1_024 * 1_024;
/// What a zlib stream of few bytes takes beside them.
const ZLIB_BYTES: usize = 256;
/// Letters of the name of a loose object that name its folder.
const FOLDER_LETTERS: usize = 2;

/// A handle to a repository, with what it read last.
pub(super) struct Database {
    repository: Repository,
    held: RefCell<Held>,
    /// Takes 300 kB, so it is made once.
    store: RefCell<Compress>,
}

/// An object.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) kind: ObjectType,
    pub(super) bytes: Rc<[u8]>,
}

#[derive(Default)]
struct Held {
    objects: HashMap<Oid, Object>,
    /// The oldest first.
    order: VecDeque<Oid>,
    bytes: usize,
}

impl Deref for Database {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

impl Database {
    pub(super) fn new(repository: Repository) -> Self {
        let store = RefCell::new(Compress::new(Compression::none(), true));
        Self { repository, held: RefCell::default(), store }
    }

    /// An object; libgit2 checks its hash.
    pub(super) fn object(&self, id: Oid) -> Result<Object, Fault> {
        if let Some(object) = self.held.borrow().objects.get(&id) {
            return Ok(object.clone());
        }
        let database = self.repository.odb()?;
        let read = database.read(id)?;
        let object = Object { kind: read.kind(), bytes: read.data().into() };
        self.held.borrow_mut().add(id, &object);
        Ok(object)
    }

    /// The bytes of a tree.
    pub(super) fn tree(&self, id: Oid) -> Result<Rc<[u8]>, Fault> {
        let object = self.object(id)?;
        match object.kind {
            ObjectType::Tree => Ok(object.bytes),
            ObjectType::Blob | ObjectType::Commit | ObjectType::Tag | ObjectType::Any => {
                // Somebody's tree says so; its bytes are those of its hash.
                Err(no_edit("a tree", format!("object {id} is named as a folder, and is none")).into())
            }
        }
    }

    /// Writes an object where it is missing.
    ///
    /// Source: git documentation, gitformat-loose; the name first, then the content as zlib data.
    pub(super) fn write(&self, kind: ObjectType, bytes: &[u8]) -> Result<Oid, Fault> {
        let header = format!("{} {}\0", kind.str(), bytes.len());
        let id = Oid::from_bytes(&Sha1::new().chain_update(&header).chain_update(bytes).finalize())?;
        let object = Object { kind, bytes: bytes.into() };
        if !self.repository.odb()?.exists_ext(id, OdbLookupFlags::NO_REFRESH) {
            let stored = deflated(&mut self.store.borrow_mut(), &[header.as_bytes(), bytes])?;
            self.store(id, &stored)?;
        }
        self.held.borrow_mut().add(id, &object);
        Ok(id)
    }

    /// Under another name first, so that a reader never sees a half.
    fn store(&self, id: Oid, stored: &[u8]) -> Result<(), Fault> {
        let name = id.to_string();
        let (folder, rest) = name.split_at(FOLDER_LETTERS);
        let objects = self.repository.path().join("objects");
        let temporary = objects.join(format!("tmp_obj_{:016x}", rand::random::<u64>()));
        let stored = fs::write(&temporary, stored).and_then(|()| {
            let folder = objects.join(folder);
            match fs::create_dir(&folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
            fs::rename(&temporary, folder.join(rest))
        });
        if stored.is_err() {
            // What is left is removed when the mirror is tidied.
            let _ = fs::remove_file(&temporary);
        }
        stored.map_err(|error| lost(&objects, error))
    }
}

/// A folder of objects that is gone is damage, a full disk is none.
fn lost(objects: &Path, error: std::io::Error) -> Fault {
    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
        return Fault::Damaged(format!("{} is gone", objects.display()));
    }
    error.into()
}

/// These parts as one zlib stream.
pub(super) fn deflated(compress: &mut Compress, parts: &[&[u8]]) -> Result<Vec<u8>, Fault> {
    let mut rest: &[u8] = &parts.concat();
    let mut deflated = Vec::with_capacity(rest.len() + ZLIB_BYTES);
    compress.reset();
    loop {
        let before = compress.total_in();
        let outcome = compress.compress_vec(rest, &mut deflated, FlushCompress::Finish);
        let status = outcome.map_err(|error| Fault::System(error.to_string()))?;
        if status == Status::StreamEnd {
            return Ok(deflated);
        }
        let taken = usize::try_from(compress.total_in() - before).unwrap_or(usize::MAX);
        rest = rest.get(taken..).unwrap_or_default();
        deflated.reserve(rest.len() + ZLIB_BYTES);
    }
}

impl Held {
    fn add(&mut self, id: Oid, object: &Object) {
        if object.bytes.len() > HELD_OBJECT_BYTES_MAX || self.objects.insert(id, object.clone()).is_some() {
            return;
        }
        self.bytes += object.bytes.len();
        self.order.push_back(id);
        while self.bytes > HELD_BYTES_MAX {
            let oldest = self.order.pop_front().and_then(|oldest| self.objects.remove(&oldest));
            self.bytes -= oldest.map_or(self.bytes, |oldest| oldest.bytes.len());
        }
    }
}
