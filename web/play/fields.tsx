import type { ComponentChildren, JSX } from 'preact';
import { FilesInput } from './files-input.tsx';
import { useName } from './hooks.ts';
import { TensorInput } from './tensor-input.tsx';
import type { Field, FormProblem, PickedFile, TextsField, Value, Values } from './types.ts';

/** The fields of a form. A problem stands beside its field. */

interface FieldsProps {
  readonly fields: readonly Field[];
  readonly values: Values;
  readonly problem: FormProblem | undefined;
  readonly onChange: (name: string, value: Value) => void;
}

export function Fields({ fields, ...props }: FieldsProps): JSX.Element {
  const first = fields.filter(({ isMore = false }) => !isMore);
  const more = fields.filter(({ isMore = false }) => isMore);
  const isOpen = more.some(({ name }) => name === props.problem?.field);
  return (
    <>
      {first.map((field) => (
        <FieldRow key={field.name} field={field} {...props} />
      ))}
      {more.length > 0 && (
        <details class="play-more" open={isOpen}>
          <summary>More settings</summary>
          {more.map((field) => (
            <FieldRow key={field.name} field={field} {...props} />
          ))}
        </details>
      )}
    </>
  );
}

type RowProps = Omit<FieldsProps, 'fields'> & { readonly field: Field };

/** What an input needs to be named and described by what stands around it. */
interface Names {
  readonly id: string;
  readonly 'aria-describedby': string | undefined;
  readonly 'aria-invalid': boolean | undefined;
}

function FieldRow({ field, values, problem, onChange }: RowProps): JSX.Element {
  const id = useName('field');
  const wrong = problem?.field === field.name ? problem.message : undefined;
  const isDescribed = wrong !== undefined || field.help !== undefined;
  const names: Names = {
    id,
    'aria-describedby': isDescribed ? `${id}-help` : undefined,
    'aria-invalid': wrong === undefined ? undefined : true,
  };
  const change = (value: Value): void => onChange(field.name, value);
  const isGroup = field.kind === 'file' || field.kind === 'texts' || field.kind === 'tensor';
  const note: ComponentChildren = isDescribed && (
    <p class={wrong === undefined ? 'play-help' : 'play-problem'} id={`${id}-help`}>
      {wrong ?? field.help}
    </p>
  );
  if (isGroup)
    return (
      <fieldset class="play-field" id={id} aria-describedby={names['aria-describedby']}>
        <legend>{field.label}</legend>
        <GroupInput field={field} value={values[field.name]} onChange={change} />
        {note}
      </fieldset>
    );
  if (field.kind === 'switch')
    return (
      <div class="play-field play-switch">
        <input
          type="checkbox"
          {...names}
          checked={values[field.name] === true}
          onChange={(event) => change(event.currentTarget.checked)}
        />
        <label for={id}>{field.label}</label>
        {note}
      </div>
    );
  const value = values[field.name];
  return (
    <div class="play-field">
      <label for={id}>{field.label}</label>
      <TextInput field={field} names={names} value={typeof value === 'string' ? value : ''} onChange={change} />
      {note}
    </div>
  );
}

type Written = Extract<Field, { kind: 'text' | 'number' | 'choice' | 'json' }>;

interface TextProps {
  readonly field: Written;
  readonly names: Names;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function TextInput({ field, names, value, onChange }: TextProps): JSX.Element {
  const typed = (event: { readonly currentTarget: { readonly value: string } }): void =>
    onChange(event.currentTarget.value);
  const told = { ...names, value };
  switch (field.kind) {
    case 'number':
      return (
        <input
          type="number"
          {...told}
          min={field.min}
          max={field.max}
          step={field.step ?? 'any'}
          placeholder={field.placeholder}
          inputMode="decimal"
          onInput={typed}
        />
      );
    case 'choice':
      return (
        <select {...told} onChange={typed}>
          {field.choices.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      );
    case 'json':
      return <textarea {...told} class="play-code-input" rows={field.rows ?? 6} spellcheck={false} onInput={typed} />;
    case 'text':
      return field.rows === undefined ? (
        <input type="text" {...told} placeholder={field.placeholder} onInput={typed} />
      ) : (
        <textarea {...told} rows={field.rows} placeholder={field.placeholder} onInput={typed} />
      );
  }
}

type Grouped = Extract<Field, { kind: 'file' | 'texts' | 'tensor' }>;

function GroupInput({
  field,
  value,
  onChange,
}: {
  field: Grouped;
  value: Value | undefined;
  onChange: (value: Value) => void;
}): JSX.Element {
  const list = Array.isArray(value) ? (value as readonly unknown[]) : [];
  switch (field.kind) {
    case 'file':
      return <FilesInput field={field} files={list as readonly PickedFile[]} onChange={onChange} />;
    case 'tensor':
      return <TensorInput field={field} value={typeof value === 'string' ? value : ''} onChange={onChange} />;
    case 'texts':
      return <TextsInput field={field} texts={list as readonly string[]} onChange={onChange} />;
  }
}

function TextsInput({
  field,
  texts,
  onChange,
}: {
  field: TextsField;
  texts: readonly string[];
  onChange: (texts: readonly string[]) => void;
}): JSX.Element {
  const least = field.least ?? 1;
  return (
    <>
      <ol class="play-texts">
        {texts.map((text, index) => (
          <li key={index}>
            <textarea
              aria-label={`${field.label}, ${index + 1}`}
              rows={1}
              value={text}
              onInput={(event) => onChange(texts.with(index, event.currentTarget.value))}
            />
            <button
              type="button"
              class="quiet"
              aria-label={`Remove ${field.one} ${index + 1}`}
              disabled={texts.length <= least}
              onClick={() => onChange(texts.toSpliced(index, 1))}
            >
              ×
            </button>
          </li>
        ))}
      </ol>
      <button type="button" class="plain" onClick={() => onChange([...texts, ''])}>
        Add a {field.one}
      </button>
    </>
  );
}
