// Operations from Kafka into MySQL and Redis: for each message a create and a SET, both awaited.
'use strict';

const { Kafka, logLevel } = require('kafkajs');
const { Sequelize, DataTypes } = require('sequelize');
const { createClient } = require('redis');

const sequelize = new Sequelize(process.env.DATABASE_URL, { dialect: 'mysql', logging: false });
const User = sequelize.define(
  'User',
  {
    id: { type: DataTypes.STRING(100), primaryKey: true },
    name: { type: DataTypes.STRING, allowNull: false },
    email: { type: DataTypes.STRING(320), allowNull: false },
    phone: DataTypes.STRING(50),
    role: DataTypes.STRING(80),
    active: DataTypes.BOOLEAN,
  },
  { tableName: 'users', timestamps: false },
);
const models = { User };

async function main() {
  const redis = createClient({ url: process.env.REDIS_URL });
  await redis.connect();
  await sequelize.authenticate();
  const kafka = new Kafka({
    clientId: 'database-consumer',
    brokers: [process.env.KAFKA_BROKERS],
    logLevel: logLevel.ERROR,
  });
  const consumer = kafka.consumer({ groupId: 'database-writer-group' });
  await consumer.connect();
  await consumer.subscribe({ topic: process.env.TOPIC_DB_OPERATIONS, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const operation = JSON.parse(message.value.toString());
      const row = await models[operation.entity].create(operation.data);
      await redis.set(`${operation.entity}:${row.id}`, JSON.stringify(row), { EX: 86400 });
    },
  });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
