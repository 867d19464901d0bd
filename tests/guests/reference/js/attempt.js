// How an attempt to get out is told.

export const attempt = (act) => {
  try {
    return { escaped: true, said: String(act()) };
  } catch (error) {
    return refused(error);
  }
};

// What is thrown is an error of the language, or of an interface: a text, or an object with a `payload`.
export const refused = (error) => {
  const reason = error?.payload ?? error?.message ?? error;
  return { escaped: false, said: typeof reason === "string" ? reason : `${reason?.constructor?.name} ${JSON.stringify(reason)}` };
};
