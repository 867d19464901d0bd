// For the QuickJS back-end, which cannot import wasi:http yet: there is no tool `http`.
export const http = null;
