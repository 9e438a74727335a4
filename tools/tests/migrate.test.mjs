import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitStatements } from '../lib/migrate.mjs';

test('statements end at semicolons outside strings, names, comments and trigger bodies', () => {
  const statements = splitStatements(
    [
      '-- first; with a semicolon',
      "CREATE TABLE a (x TEXT DEFAULT ';''');",
      '',
      '/* ; */ INSERT INTO a VALUES (1); ;',
      'CREATE TRIGGER t AFTER INSERT ON a WHEN CASE WHEN 1 THEN 1 END BEGIN UPDATE a SET x = CASE WHEN 1 THEN 2 END; DELETE FROM a; END;',
      'SELECT "a;b", [c;d], `e;f`',
      '-- the end',
    ].join('\n'),
  );
  assert.deepEqual(
    statements.map(({ line }) => line),
    [2, 4, 5, 6],
  );
  assert.match(statements[2].sql, /DELETE FROM a; END$/);
});

test('a file with nothing but comments has no statement', () => {
  assert.deepEqual(splitStatements('-- later\n/* nothing; */\n'), []);
});
