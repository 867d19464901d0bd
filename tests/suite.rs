mod capability;
mod journal;
mod lab;
