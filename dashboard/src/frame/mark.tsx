/** Name and sign of the product. */
export function Mark() {
  return (
    <span className="inline-flex items-center gap-2 text-large font-semibold tracking-tight">
      <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden>
        <rect width="32" height="32" rx="7" fill="var(--primary)" />
        <path d="M16 7a5.5 5.5 0 0 1 2.6 10.35L20 25h-8l1.4-7.65A5.5 5.5 0 0 1 16 7Z" fill="var(--on-primary)" />
      </svg>
      Keyway
    </span>
  );
}
